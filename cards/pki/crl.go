package pki

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"time"
)

// A revocation list is signed once and given out until something makes it
// untrue: the authority revokes again, the clock leaves the time it serves for,
// or other authorities are read.

// How long a list that was signed is given out. A full list stays younger than
// what a delta covers, so that each delta completes it.
const (
	crlServes   = deltaCovers / 2
	deltaServes = 10 * time.Minute
)

// signedList is a list with what it depends on.
type signedList struct {
	mu     sync.Mutex // held while it is signed: who asks meanwhile waits for it
	der    []byte
	at     time.Time
	by     *Authority
	newest Revocation
}

// signedLists are those of each authority: the full list and the delta.
type signedLists struct {
	mu  sync.Mutex
	all map[string]*signedList
}

// of is the authority's list of a kind, perhaps not signed yet.
func (l *signedLists) of(name string) *signedList {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]*signedList{}
	}
	if l.all[name] == nil {
		l.all[name] = &signedList{}
	}
	return l.all[name]
}

// forget drops what was signed.
func (l *signedLists) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// serves tells whether the list can be given out.
func (l *signedList) serves(by *Authority, newest Revocation, now time.Time, during time.Duration) bool {
	return l.der != nil && l.by == by && l.newest.Serial == newest.Serial && l.newest.RevokedAt.Equal(newest.RevokedAt) &&
		!now.Before(l.at) &&
		now.Before(l.at.Add(during))
}

// CRL is the authority's revocation list.
func (p *PKI) CRL(ctx context.Context, authority string) ([]byte, error) {
	return p.revocations(ctx, authority, "full/", crlServes)
}

// DeltaCRL lists what was revoked within a day: it completes any full list of
// that day (RFC 5280 §5.2.4).
func (p *PKI) DeltaCRL(ctx context.Context, authority string) ([]byte, error) {
	return p.revocations(ctx, authority, "delta/", deltaServes)
}

// revocations gives the list out that was signed, or signs it anew.
func (p *PKI) revocations(ctx context.Context, authority, kind string, during time.Duration) ([]byte, error) {
	a, err := p.Authority(ctx, authority)
	if err != nil {
		return nil, err
	}
	l := p.lists.of(kind + authority)
	l.mu.Lock()
	defer l.mu.Unlock()
	// Read before the list, so that a list that lacks something is signed again.
	newest, err := latest.LoadMaybe(ctx, p.store, authority)
	if err != nil {
		return nil, err
	}
	now := p.clock.Now()
	if l.serves(a, newest, now, during) {
		return l.der, nil
	}
	since := time.Time{}
	if kind == "delta/" {
		since = now.Add(-deltaCovers)
	}
	der, err := p.sign(ctx, a, now, since)
	if err != nil {
		return nil, err
	}
	l.der, l.at, l.by, l.newest = der, now, a, newest
	return der, nil
}

// sign makes the list of what the authority revoked after since.
func (p *PKI) sign(ctx context.Context, a *Authority, now, since time.Time) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(crlLifetime)}
	if !since.IsZero() {
		base, err := asn1.Marshal(big.NewInt(since.Unix()))
		if err != nil {
			return nil, err
		}
		list.ExtraExtensions = []pkix.Extension{{Id: oidDeltaCRL, Critical: true, Value: base}}
	} else {
		var err error
		if list.ExtraExtensions, err = p.freshest(a.ID); err != nil {
			return nil, err
		}
	}
	err := revoked(a.ID).Walk(ctx, p.store, "", func(_ string, r Revocation) error {
		if r.RevokedAt.After(since) {
			n, _ := new(big.Int).SetString(r.Serial, 16)
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.RevokedAt})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x509.CreateRevocationList(rand.Reader, list, a.Cert, a.Key)
}
