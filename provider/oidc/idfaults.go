package oidc

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"time"

	"pscemu.invalid/pscemu/provider/faults"
)

// idFault is what a fault does to an id token: it changes claims, and how they are
// signed. Without a signer the right key signs.
type idFault struct {
	claims func(map[string]any)
	sign   func(k *keys, good, payload string) (string, error)
}

func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

func without(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }

// moved changes a time by seconds from iat.
func moved(changes map[string]int64) func(map[string]any) {
	return func(c map[string]any) {
		iat := c["iat"].(json.Number)
		now, _ := iat.Int64()
		for name, by := range changes {
			c[name] = now + by
		}
	}
}

const hour = int64(time.Hour / time.Second)

// another is the person whom wrong answers are about: nobody.
const another = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:ANS20990000000000"

// idFaults tells what each fault of the ID token does.
var idFaults = map[faults.Kind]idFault{
	faults.KindIssInTokenWrong: {claims: set("iss", "https://evil.example/auth/realms/esante-wallet")},
	faults.KindAudWrong:        {claims: set("aud", "another-client")},
	faults.KindAudMany: {
		claims: func(c map[string]any) { c["aud"], c["azp"] = []any{c["aud"], "another-client"}, "another-client" },
	},
	faults.KindAzpWrong:            {claims: set("azp", "another-client")},
	faults.KindNonceWrong:          {claims: set("nonce", "not-the-nonce-that-was-sent")},
	faults.KindNonceMissingInToken: {claims: without("nonce")},
	faults.KindExpired:             {claims: moved(map[string]int64{"exp": -hour, "iat": -hour - 120})},
	faults.KindExpMissing:          {claims: without("exp")},
	faults.KindNotYetValid:         {claims: moved(map[string]int64{"nbf": hour, "exp": 2 * hour, "iat": hour})},
	faults.KindIssuedLongAgo:       {claims: moved(map[string]int64{"iat": -24 * hour})},
	faults.KindAuthTimeOld:         {claims: moved(map[string]int64{"auth_time": -10 * hour})},
	faults.KindSubMissing:          {claims: without("sub")},
	faults.KindAtHashWrong:         {claims: set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
	faults.KindACRChanged:          {claims: set("acr", "eidas0")},
	faults.KindSignatureWrong: {sign: func(_ *keys, good, _ string) (string, error) {
		i := strings.LastIndexByte(good, '.')
		sig, err := base64.RawURLEncoding.DecodeString(good[i+1:])
		if err == nil {
			sig[0] ^= 0xff
		}
		return good[:i+1] + encode(sig), err
	}},
	faults.KindPayloadTampered: {sign: func(_ *keys, good, payload string) (string, error) {
		parts := strings.Split(good, ".")
		return parts[0] + "." + encode([]byte(tampered(payload))) + "." + parts[2], nil
	}},
	faults.KindKeyForeign: {sign: func(k *keys, _, payload string) (string, error) {
		return signWith(foreignKey(), header("RS256", "JWT", k.all()[0].kid), payload)
	}},
	faults.KindKidUnknown: {sign: func(k *keys, _, payload string) (string, error) {
		return signWith(foreignKey(), header("RS256", "JWT", "a-key-nobody-published"), payload)
	}},
	faults.KindKeyInHeader: {sign: func(k *keys, _, payload string) (string, error) {
		key := foreignKey()
		h := `{"alg":"RS256","typ":"JWT","jwk":{"kty":"RSA","n":"` + encode(
			key.N.Bytes(),
		) + `","e":"` + encode(
			big.NewInt(int64(key.E)).Bytes(),
		) + `"}}`
		return signWith(key, encode([]byte(h)), payload)
	}},
	faults.KindAlgNone: {sign: func(_ *keys, _, payload string) (string, error) {
		return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode([]byte(payload)) + ".", nil
	}},
	faults.KindAlgHS256: {sign: func(k *keys, _, payload string) (string, error) {
		active := k.all()[0]
		der, err := x509.MarshalPKIXPublicKey(active.key.Public())
		input := header("HS256", "JWT", active.kid) + "." + encode([]byte(payload))
		h := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		h.Write([]byte(input))
		return input + "." + encode(h.Sum(nil)), err
	}},
	faults.KindIDTokenGarbage: {sign: func(*keys, string, string) (string, error) { return "this is no token", nil }},
	faults.KindIDTokenEncrypted: {sign: func(*keys, string, string) (string, error) {
		return "eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.BBBB.CCCC.DDDD", nil
	}},
	faults.KindIDTokenOld: {}, // the strategy replays an earlier one
}

// tampered is the payload with another person in it.
func tampered(payload string) string {
	var c map[string]any
	d := json.NewDecoder(strings.NewReader(payload))
	d.UseNumber()
	if d.Decode(&c) != nil {
		return payload
	}
	c["sub"], c["preferred_username"], c["SubjectNameID"] = another, "990000000000", "990000000000"
	out, _ := json.Marshal(c)
	return string(out)
}

// foreignKey is a key nobody published, one a process.
var foreignKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the machine has no randomness
	}
	return key
})

func signWith(key *rsa.PrivateKey, head, payload string) (string, error) {
	input := head + "." + encode([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return input + "." + encode(sig), err
}

// signID signs an id token, or makes it wrong where a fault wants that.
func (s *strategy) signID(x *Session, t token) (string, error) {
	fault, ok := s.config.Faults.Take(faults.IDToken, "", x.ClientID, x.NationalID)
	if !ok {
		signed, err := s.keys.sign("JWT", t)
		s.remember(x, signed)
		return signed, err
	}
	if old := s.earlier(x); fault.Kind == faults.KindIDTokenOld && old != "" {
		return old, nil
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	change, claims := idFaults[fault.Kind], map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return "", err
	}
	if change.claims != nil {
		change.claims(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	good, err := s.keys.sign("JWT", claims)
	if err != nil || change.sign == nil {
		return good, err
	}
	return change.sign(s.keys, good, string(payload))
}

// remember keeps the last id token of each client while faults are in force:
// one of them replays it.
func (s *strategy) remember(x *Session, signed string) {
	if s.config.Faults.Active() {
		s.earlierTokens.Store(x.ClientID, signed)
	}
}

func (s *strategy) earlier(x *Session) string {
	v, _ := s.earlierTokens.Load(x.ClientID)
	old, _ := v.(string)
	return old
}
