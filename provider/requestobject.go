package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	strictjson "github.com/go-jose/go-jose/v4/json"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/provider/clients"
)

// objects reads request objects (RFC 9101).
type objects struct{ clock clock.Clock }

// signatures are the algorithms of request objects: asymmetric ones only.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256,
	jose.RS384,
	jose.RS512,
	jose.PS256,
	jose.PS384,
	jose.PS512,
	jose.ES256,
	jose.ES384,
	jose.ES512,
}

// unsigned tells an object with alg none, which no key can vouch for.
func unsigned(object string) bool { return strings.HasSuffix(object, ".") }

// read verifies an object with the client's registered keys — never
// one that the header names or brings — and returns its parameters.
func (o objects) read(client *clients.Client, object, iss string) (url.Values, error) {
	if len(object) > 1<<14 {
		return nil, errors.New("longer than 16 KiB")
	}
	jws, err := jose.ParseSignedCompact(object, signatures)
	if err != nil {
		return nil, err
	}
	payload, err := verifiedBy(client.JWKS, jws)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := strictjson.Unmarshal(payload, &claims); err != nil { // refuses duplicate members
		return nil, err
	}
	if err := o.inForce(client, claims, iss); err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			out.Set(name, v)
		case float64:
			out.Set(name, fmt.Sprint(int64(v)))
		case map[string]any:
			raw, _ := json.Marshal(v)
			out.Set(name, string(raw))
		}
	}
	for _, name := range []string{"iss", "aud", "exp", "nbf", "iat", "jti"} {
		out.Del(name)
	}
	return out, nil
}

func verifiedBy(set *jose.JSONWebKeySet, jws *jose.JSONWebSignature) ([]byte, error) {
	kid := jws.Signatures[0].Header.KeyID
	for _, k := range set.Keys {
		if kid == "" || k.KeyID == kid {
			if payload, err := jws.Verify(k.Key); err == nil {
				return payload, nil
			}
		}
	}
	return nil, errors.New("no registered key verifies the signature")
}

func (o objects) inForce(client *clients.Client, claims map[string]any, iss string) error {
	now := float64(o.clock.Now().Unix())
	if id, ok := claims["client_id"]; ok && id != client.ID {
		return fmt.Errorf("client_id is %v", id)
	}
	if from, ok := claims["iss"]; ok && from != client.ID {
		return fmt.Errorf("iss is %v", from)
	}
	if aud, ok := claims["aud"]; ok && !holds(aud, iss) {
		return fmt.Errorf("aud is %v", aud)
	}
	if exp, ok := claims["exp"].(float64); ok && now >= exp {
		return errors.New("it has expired")
	}
	if nbf, ok := claims["nbf"].(float64); ok && now < nbf {
		return errors.New("it is not valid yet")
	}
	if claims["request"] != nil || claims["request_uri"] != nil {
		return errors.New("it holds another request")
	}
	return nil
}

func holds(aud any, iss string) bool {
	if list, ok := aud.([]any); ok {
		for _, a := range list {
			if a == iss {
				return true
			}
		}
		return false
	}
	return aud == iss
}
