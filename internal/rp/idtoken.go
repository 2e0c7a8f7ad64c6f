package rp

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tolerances for clocks that differ, and for tokens that were kept too long.
const (
	leeway = time.Minute
	recent = 10 * time.Minute
)

// Claims are those of a token.
type Claims map[string]any

// Text is a claim that is a text, "" for any other.
func (c Claims) Text(name string) string { text, _ := c[name].(string); return text }

// time is a claim of seconds since 1970.
func (c Claims) time(name string) (at time.Time, ok bool) {
	seconds, ok := c[name].(float64)
	return time.Unix(int64(seconds), 0), ok
}

// audience is aud, a text or a list of texts.
func (c Claims) audience() (all []string) {
	if one := c.Text("aud"); one != "" {
		return []string{one}
	}
	list, _ := c["aud"].([]any)
	for _, v := range list {
		text, _ := v.(string)
		all = append(all, text)
	}
	return all
}

// token is a JWT in compact form, of which nothing is verified yet.
type token struct {
	raw    string
	alg    string
	claims Claims
}

// parse takes a JWT apart.
func parse(raw string) (*token, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var head struct {
		Alg string `json:"alg"`
	}
	t := &token{raw: raw}
	for n, into := range []any{&head, &t.claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil || json.Unmarshal(b, into) != nil {
			return nil, false
		}
	}
	t.alg = head.Alg
	return t, t.claims != nil
}

// Decode reads a JWT's claims without verifying anything: to show them.
func Decode(raw string) Claims {
	if t, ok := parse(raw); ok {
		return t.claims
	}
	return nil
}

// idToken verifies the id token of a session (OIDC Core §3.1.3.7) against the
// login in which it was asked for.
func (c *Client) idToken(ctx context.Context, in *Session, l *Login) error {
	held := c.ledger()
	defer func() { in.Checks = append(in.Checks, held.checks...) }()
	t, ok := c.signed(ctx, held, in.Tokens.ID)
	if !ok {
		return held.err()
	}
	c.parties(held, t.claims)
	c.times(held, t.claims)
	if l.Nonce != "" {
		nonce := t.claims.Text("nonce")
		held.hold(IDTokenNonce, "OIDC Core §3.1.3.7 (11)", same(nonce, l.Nonce), nonce, l.Nonce)
	}
	if got, there := t.claims["at_hash"]; there {
		want := accessHash(t.alg, in.Tokens.Access)
		held.hold(IDTokenHash, "OIDC Core §3.1.3.8", got == any(want), fmt.Sprint(got), want)
	}
	if len(l.ACR) > 0 {
		acr := t.claims.Text("acr")
		held.hold(IDTokenLevel, "OIDC Core §3.1.3.7 (12)", reaches(acr, l.ACR), acr, strings.Join(l.ACR, " "))
	}
	if l.MaxAge > 0 {
		c.authenticated(held, t.claims, l)
	}
	in.Claims = t.claims
	return held.err()
}

// signed verifies form, algorithm and signature. Without a form there is
// nothing more to look at.
func (c *Client) signed(ctx context.Context, held *ledger, raw string) (*token, bool) {
	t, ok := parse(raw)
	held.hold(IDTokenForm, "RFC 7519 §7.2", ok, shape(raw), "a signed JWT in three parts")
	if !ok {
		return nil, false
	}
	agreed := slices.Contains(c.Algorithms, t.alg)
	held.hold(IDTokenAlgorithm, "OIDC Core §3.1.3.7 (7); RFC 8725 §3.1", agreed,
		t.alg, strings.Join(c.Algorithms, " "))
	err := fmt.Errorf("the algorithm %s is not accepted", t.alg)
	if agreed {
		// A key is never taken from the token: only its kid is looked up.
		_, err = c.keys.VerifySignature(ctx, raw)
	}
	received := "a signature that holds"
	if err != nil {
		received = err.Error()
	}
	held.hold(IDTokenSignature, "OIDC Core §3.1.3.7 (6); RFC 7515 §5.2", err == nil,
		received, "a signature by a key of jwks_uri")
	return t, true
}

// shape tells what a token looks like without repeating it.
func shape(raw string) string {
	return fmt.Sprintf("%d bytes in %d parts", len(raw), strings.Count(raw, ".")+1)
}

// parties verifies who the token is from, about and for.
func (c *Client) parties(held *ledger, claims Claims) {
	held.hold(IDTokenIssuer, "OIDC Core §3.1.3.7 (2)", claims.Text("iss") == c.Issuer, claims.Text("iss"), c.Issuer)
	aud := claims.audience()
	held.hold(IDTokenAudience, "OIDC Core §3.1.3.7 (3)", len(aud) == 1 && aud[0] == c.ClientID,
		strings.Join(aud, " "), c.ClientID)
	azp, there := claims["azp"]
	if there || len(aud) > 1 {
		held.hold(IDTokenParty, "OIDC Core §3.1.3.7 (4, 5)", azp == any(c.ClientID), text(azp), c.ClientID)
	}
	sub := claims.Text("sub")
	held.hold(IDTokenSubject, "OIDC Core §2", sub != "" && len(sub) <= 255, sub, "1 to 255 characters")
}

// times verifies when the token is good.
func (c *Client) times(held *ledger, claims Claims) {
	now := c.Now()
	exp, ok := claims.time("exp")
	held.hold(IDTokenExpiry, "OIDC Core §3.1.3.7 (9)", ok && exp.After(now.Add(-leeway)),
		text(claims["exp"]), "after "+seconds(now))
	iat, ok := claims.time("iat")
	held.hold(IDTokenIssued, "OIDC Core §3.1.3.7 (10)",
		ok && iat.Before(now.Add(leeway)) && iat.After(now.Add(-recent)),
		text(claims["iat"]), "at most "+recent.String()+" before "+seconds(now))
	if _, there := claims["nbf"]; there {
		nbf, ok := claims.time("nbf")
		held.hold(IDTokenNotBefore, "RFC 7519 §4.1.5", ok && nbf.Before(now.Add(leeway)),
			text(claims["nbf"]), "at most "+seconds(now))
	}
}

// authenticated verifies auth_time, when max_age was sent.
func (c *Client) authenticated(held *ledger, claims Claims, l *Login) {
	at, ok := claims.time("auth_time")
	oldest := c.Now().Add(-leeway - time.Duration(l.MaxAge)*time.Second)
	held.hold(IDTokenAuthTime, "OIDC Core §3.1.3.7 (13)", ok && at.After(oldest),
		text(claims["auth_time"]), "after "+seconds(oldest))
}

func seconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// text is a claim as it can be read: numbers without an exponent.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// accessHash is the at_hash of an access token: the first half of its hash
// under the algorithm that signs (OIDC Core §3.1.3.6).
func accessHash(alg, access string) string {
	var h hash.Hash
	switch {
	case strings.HasSuffix(alg, "384"):
		h = sha512.New384()
	case strings.HasSuffix(alg, "512"):
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write([]byte(access))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// reaches tells whether a level is one of those asked for, or above the lowest
// where both are of eIDAS.
func reaches(acr string, asked []string) bool {
	for _, level := range asked {
		got, ok1 := strings.CutPrefix(acr, "eidas")
		want, ok2 := strings.CutPrefix(level, "eidas")
		if acr == level || ok1 && ok2 && len(got) == 1 && got >= want {
			return true
		}
	}
	return false
}
