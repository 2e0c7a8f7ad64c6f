package api

import (
	"context"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/oidc"
)

// Keys are the provider's signing keys.
type Keys struct{ OIDC *oidc.Provider }

// KeyID names a signing key.
type KeyID struct {
	// KID is its id in the key set.
	KID string `path:"kid"`
}

func (s *Keys) list(context.Context, *None) (*List[oidc.KeyInfo], error) {
	return all(s.OIDC.Keys()), nil
}

func (s *Keys) publish(c context.Context, _ *None) (*oidc.KeyInfo, error) {
	return s.OIDC.PublishKey(c)
}

func (s *Keys) use(c context.Context, in *KeyID) (Nothing, error) {
	return Nothing{}, s.OIDC.UseKey(c, in.KID)
}

func (s *Keys) retire(c context.Context, in *KeyID) (Nothing, error) {
	return Nothing{}, s.OIDC.RetireKey(c, in.KID)
}

func (s *Keys) operations() []Operation {
	key := Example{Path: map[string]string{"kid": exampleKey}}
	return of("keys",
		operation("GET", "/keys", "listKeys", "List the signing keys, the active one first", s.list),
		operation("POST", "/keys", "publishKey", "Rotation 1: publish a new signing key", s.publish,
			refuses(problem.KeysFull)),
		operation("POST", "/keys/:kid/use", "useKey", "Rotation 2: sign with a key", s.use,
			says("The former stays in the key set."), refuses(problem.KeyUnknown), example(key)),
		operation("POST", "/keys/:kid/retire", "retireKey", "Rotation 3: take a key out of the key set", s.retire,
			refuses(problem.KeyUnknown, problem.KeyActive), example(key)),
	)
}
