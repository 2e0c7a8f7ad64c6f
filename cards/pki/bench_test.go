package pki

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// benchRecords is how many certificates there are, all of them revoked.
const benchRecords = 20_000

// filled is a PKI on a data file with many certificates of one client, which are
// copies of one: only their serials differ.
func filled(b *testing.B) *PKI {
	b.Helper()
	c := &clock.Adjustable{}
	s, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	ctx, p := context.Background(), New(s, c, "http://localhost/pki", nil)
	made, err := p.Prepare(
		ctx,
		Request{Profile: ProfileAuthCLI, Subject: ORGName("Paris (75)", "STRUCTURE", EditorID, "many"), ClientID: "many"},
	)
	if err != nil {
		b.Fatal(err)
	}
	const batch = 500
	for from := 0; from < benchRecords; from += batch {
		err := s.Update(ctx, func(tx store.Tx) error {
			for n := from; n < from+batch; n++ {
				one := *made
				one.Serial = fmt.Sprintf("%032x", n+1)
				if err := p.KeepIn(tx, &one); err != nil {
					return err
				}
				if err := p.RevokeIn(tx, one.Serial); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func BenchmarkCertificatesAmong20000(b *testing.B) {
	p, ctx := filled(b), context.Background()
	for name, q := range map[string]Query{
		"client-without": {ClientID: "none"}, "card-without": {Card: "0"}, "state-without": {State: Valid},
		"client-with-many": {
			ClientID: "many",
		}, "state-with-many": {State: Revoked}, "client-in-state-without": {ClientID: "many", State: Valid},
		"text-without": {Text: "nobody"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Certificates(ctx, q, "", 101); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkListsOf20000Revocations(b *testing.B) {
	p, ctx := filled(b), context.Background()
	for name, list := range map[string]func(context.Context, string) ([]byte, error){"full": p.CRL, "delta": p.DeltaCRL} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := list(ctx, "el-org"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
