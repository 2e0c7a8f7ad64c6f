package emulator

import (
	"errors"
	"fmt"
	"time"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

// review judges a content that comes from outside. It goes through it twice:
// once to know what the records name, once to judge each.
type review struct {
	pki  pki.Content
	demo string // key of the demo client's certificate, once it is named
	met  bool   // it was among the entries
	all  store.Kinds
}

// note takes what other entries are judged by.
func (r *review) note(e store.Entry) {
	r.pki.Note(e)
	if e.Key == demoSerial.Key("serial") {
		if serial, err := demoSerial.Decode(e.Value); err == nil {
			r.demo = pki.CertificateKey(serial)
		}
	}
}

// check refuses an entry, once all were noted.
func (r *review) check(e store.Entry) error {
	if r.all == nil {
		r.all = allRecords(&r.pki)
	}
	r.met = r.met || e.Key == r.demo
	if at := e.Expires; !at.IsZero() && (at.Before(earliestEnd) || at.After(latestEnd)) {
		return fmt.Errorf("the entry %q ends at %s, which is no time of this program", e.Key, at.Format(time.RFC3339))
	}
	return r.all.Check(e)
}

// What lives for some time ends between these.
var earliestEnd, latestEnd = clock.Earliest, clock.Latest.AddDate(50, 0, 0)

// finish refuses the whole, once every entry was checked.
func (r *review) finish() error {
	if r.demo != "" && !r.met {
		return errors.New("the demo client's certificate, which it names, is not there")
	}
	return r.all.Finish()
}

// allRecords are all kinds of record that a store may hold.
func allRecords(p *pki.Content) store.Kinds {
	all := store.KindsOf(records(p)...)
	return store.KindsOf(append(records(p), store.LongRecords(all))...)
}

// records are all kinds of record that a world keeps.
func records(p *pki.Content) [][]store.Kind {
	return [][]store.Kind{
		identities.Records(), ecps.Records(), outbox.Records(),
		p.Records(), cards.Records(), orders.Records(),
		clients.Records(), delivery.Records(), login.Records(), oidc.Records(), provider.Records(),
		{seeded.Kind(), demoSerial.Kind()},
	}
}
