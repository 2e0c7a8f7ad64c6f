package pki_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// onStore is a PKI on a store in memory, with a frozen clock.
func onStore(t *testing.T) (*pki.PKI, *store.Memory, *clock.Adjustable) {
	t.Helper()
	c := &clock.Adjustable{}
	if err := c.Set(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), true); err != nil {
		t.Fatal(err)
	}
	s := store.NewMemory(c)
	return pki.New(s, c, "http://127.0.0.1:1/pki", nil), s, c
}

func issue(t *testing.T, p *pki.PKI, o pki.Request) *pki.Certificate {
	t.Helper()
	o.Profile, o.Subject, o.KeyType = pki.ProfileAuthCLI, subject, "ecdsa"
	made, err := p.Issue(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func serials(t *testing.T, p *pki.PKI, q pki.Query) (out []string) {
	t.Helper()
	list, err := p.Certificates(context.Background(), q, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		out = append(out, c.Serial)
	}
	if q.Counted() {
		if n, err := p.Count(context.Background(), q, 100); err != nil || n != len(out) {
			t.Errorf("%+v: counted %d, listed %d, %v", q, n, len(out), err)
		}
	}
	return out
}

// chosen checks what every kind of query finds among certificates of two clients,
// a card and a structure, of which the last of each is revoked.
func chosen(t *testing.T, p *pki.PKI, a, b, card, structure []string) {
	t.Helper()
	last := func(list []string) string { return list[len(list)-1] }
	gone := []string{last(a), last(b), last(card), last(structure)}
	all := slices.Concat(a, b, card, structure)
	valid := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(gone, s) })
	for _, c := range []struct {
		q    pki.Query
		want []string
	}{
		{
			pki.Query{},
			all,
		}, {pki.Query{ClientID: "a"}, a}, {pki.Query{ClientID: "b&state=valid"}, b}, {pki.Query{ClientID: "c"}, nil},
		{pki.Query{Card: "9700000001"}, card}, {pki.Query{Structure: "00000001815646"}, structure},
		{pki.Query{State: pki.Revoked}, gone}, {pki.Query{State: pki.Valid}, valid},
		{
			pki.Query{ClientID: "a", State: pki.Revoked},
			a[len(a)-1:],
		}, {pki.Query{ClientID: "a", State: pki.Valid}, a[:len(a)-1]},
		{
			pki.Query{Card: "9700000001", State: pki.Valid},
			card[:len(card)-1],
		}, {pki.Query{Card: "9700000001", ClientID: "a"}, nil},
		{pki.Query{ClientID: "a", Text: "cn=DEMO"}, a}, {pki.Query{ClientID: "a", Text: "nobody"}, nil},
	} {
		want := slices.Clone(c.want)
		slices.Sort(want)
		if got := serials(t, p, c.q); !slices.Equal(got, want) {
			t.Errorf("%+v finds %v, want %v", c.q, got, want)
		}
	}
}

func TestCertificatesAreFoundByIndexes(t *testing.T) {
	p, s, _ := onStore(t)
	ctx := context.Background()
	var found [4][]string
	for n, o := range []pki.Request{
		{ClientID: "a"},
		{ClientID: "b&state=valid"},
		{CardSerial: "9700000001"},
		{Structure: "00000001815646"},
	} {
		for range 3 {
			found[n] = append(found[n], issue(t, p, o).Serial)
		}
		if err := p.Revoke(ctx, found[n][2]); err != nil {
			t.Fatal(err)
		}
	}
	chosen(t, p, found[0], found[1], found[2], found[3])
	// A data folder of an earlier version has no indexes.
	err := s.Update(ctx, func(tx store.Tx) error {
		all, err := tx.List("certificates-", "", 1000)
		for _, e := range all {
			if err == nil && !strings.HasPrefix(e.Key, "certificates-apart/") {
				err = tx.Delete(e.Key)
			}
		}
		return err
	})
	if err != nil || len(serials(t, p, pki.Query{})) != 12 || len(serials(t, p, pki.Query{ClientID: "a"})) != 0 {
		t.Fatal("the indexes are not gone", err)
	}
	for range 2 { // it may be cut off and begin again
		if err := p.IndexCertificates(ctx); err != nil {
			t.Fatal(err)
		}
	}
	chosen(t, p, found[0], found[1], found[2], found[3])
	if _, err := p.Certificates(ctx, pki.Query{State: "lost"}, "", 10); err == nil {
		t.Error("a state that does not exist finds nothing without a word")
	}
	// Who asked is gone: the search ends.
	gone, stop := context.WithCancel(ctx)
	stop()
	if _, err := p.Certificates(gone, pki.Query{Text: "nobody"}, "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("a search for nobody any more: %v", err)
	}
}

// listOf is a revocation list, with its bytes.
func listOf(t *testing.T, of func(context.Context, string) ([]byte, error)) ([]byte, *x509.RevocationList) {
	t.Helper()
	der, err := of(context.Background(), "el-org")
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return der, list
}

func TestARevocationListIsSignedOnceUntilItIsUntrue(t *testing.T) {
	p, s, c := onStore(t)
	ctx := context.Background()
	revoked, spared := issue(t, p, pki.Request{ClientID: "a"}), issue(t, p, pki.Request{ClientID: "a"})
	if err := p.Revoke(ctx, revoked.Serial); err != nil {
		t.Fatal(err)
	}
	other := pki.New(s, c, "http://127.0.0.1:1/pki", nil) // another process on the same store
	for kind, of := range map[string]func(context.Context, string) ([]byte, error){"full": p.CRL, "delta": p.DeltaCRL} {
		first, _ := listOf(t, of)
		again := func(what string, same bool) {
			t.Helper()
			got, _ := listOf(t, of)
			if bytes.Equal(got, first) != same {
				t.Errorf("%s list, %s: the same bytes: %t, want %t", kind, what, !same, same)
			}
			first = got
		}
		again("asked again", true)
		c.Advance(5 * time.Minute)
		again("five minutes later", true)
		refused := errors.New("refused")
		if err := s.Update(
			ctx,
			func(tx store.Tx) error { return errors.Join(p.RevokeIn(tx, spared.Serial), refused) },
		); !errors.Is(
			err,
			refused,
		) {
			t.Fatal(err)
		}
		again("after a revocation that was taken back", true)
		c.Advance(-10 * time.Minute)
		again("when the clock went back", false)
		c.Advance(13 * time.Hour)
		again("half a day later", false)
		c.Advance(time.Minute)
		p.Forget()
		again("of other authorities", false)
		now := issue(t, p, pki.Request{ClientID: "a"})
		if err := other.Revoke(ctx, now.Serial); err != nil {
			t.Fatal(err)
		}
		again("after a revocation elsewhere", false)
		_, list := listOf(t, of)
		if !slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
			return e.SerialNumber.Cmp(parsed(t, now).SerialNumber) == 0
		}) {
			t.Errorf("the %s list lacks what was revoked", kind)
		}
	}
}

// However old the full list that is given out, a delta completes it.
func TestADeltaCompletesTheFullListOfItsTime(t *testing.T) {
	p, _, c := onStore(t)
	revoked := issue(t, p, pki.Request{ClientID: "a"}).Serial
	for hours := range 60 {
		if hours == 2 {
			if err := p.Revoke(context.Background(), revoked); err != nil {
				t.Fatal(err)
			}
		}
		_, full := listOf(t, p.CRL)
		_, delta := listOf(t, p.DeltaCRL)
		base := new(big.Int)
		for _, e := range delta.Extensions {
			if e.Id.String() == "2.5.29.27" {
				if _, err := asn1.Unmarshal(e.Value, &base); err != nil {
					t.Fatal(err)
				}
			}
		}
		if base.Sign() <= 0 || full.Number.Cmp(base) < 0 {
			t.Fatalf("after %d hours: the full list is %s, the delta is about those from %s", hours, full.Number, base)
		}
		if in, want := len(delta.RevokedCertificateEntries) == 1, hours >= 2 && hours < 26; in != want {
			t.Errorf("after %d hours: in the delta: %t", hours, in)
		}
		if in, want := len(full.RevokedCertificateEntries) == 1, hours >= 2; in != want {
			t.Errorf("after %d hours: in the full list: %t", hours, in)
		}
		c.Advance(time.Hour)
	}
}
