package oidc

import (
	"context"
	"slices"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// KeyInfo describes a signing key without its secret.
type KeyInfo struct {
	KID       string    `json:"kid"`
	State     KeyState  `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

// Reload reads the keys from the store again.
func (p *Provider) Reload(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	fresh, err := loadKeys(ctx, p.storage.store, p.config.Clock.Now())
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.enc = nil
	p.mu.Unlock()
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.signing, p.keys.jti = fresh.signing, fresh.jti
	p.keys.refresh, p.keys.refreshKID, p.keys.refreshHead = fresh.refresh, fresh.refreshKID, fresh.refreshHead
	return nil
}

// Keys lists the signing keys, the active one first.
func (p *Provider) Keys() []KeyInfo {
	out := []KeyInfo{}
	for _, k := range p.keys.all() {
		out = append(out, k.KeyInfo)
	}
	return out
}

// PublishKey makes a signing key and adds it to the key set, unused so far.
func (p *Provider) PublishKey(ctx context.Context) (*KeyInfo, error) {
	now := p.config.Clock.Now()
	rec, err := newRSA(now)
	if err != nil {
		return nil, err
	}
	rec.State, rec.CreatedAt = KeyPublished, now
	return &KeyInfo{rec.KID, rec.State, rec.CreatedAt}, p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if len(all) >= maxSigning {
			return problem.KeysFull.With("count", len(all)).With("most", maxSigning)
		}
		return signingKeys.Put(tx, rec.KID, rec, store.Forever)
	})
}

// UseKey makes a published key the signing one; the former stays in the set.
func (p *Provider) UseKey(ctx context.Context, kid string) error {
	return p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if err := known(all, kid); err != nil {
			return err
		}
		for _, rec := range all {
			switch {
			case rec.KID == kid:
				rec.State = KeyActive
			case rec.State == KeyActive:
				rec.State = KeyPassive
			}
			if err := signingKeys.Put(tx, rec.KID, rec, store.Forever); err != nil {
				return err
			}
		}
		return nil
	})
}

// RetireKey takes a key out of the set: what it signed verifies no more.
func (p *Provider) RetireKey(ctx context.Context, kid string) error {
	return p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if err := known(all, kid); err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(r keyRecord) bool { return r.KID == kid }); all[i].State == KeyActive {
			return problem.KeyActive.Got(kid)
		}
		return signingKeys.Delete(tx, kid)
	})
}

func known(all []keyRecord, kid string) error {
	if !slices.ContainsFunc(all, func(r keyRecord) bool { return r.KID == kid }) {
		return problem.KeyUnknown.Got(kid)
	}
	return nil
}

func (p *Provider) changeKeys(ctx context.Context, fn func(store.Tx, []keyRecord) error) error {
	p.changing.Lock() // so that what is held follows the commits in their order
	defer p.changing.Unlock()
	var after []keyRecord
	err := p.storage.store.Update(ctx, func(tx store.Tx) error {
		all, err := signingKeys.List(tx, "", maxSigning)
		if err == nil {
			err = fn(tx, all)
		}
		if err == nil {
			after, err = signingKeys.List(tx, "", maxSigning)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.keys.set(after)
}
