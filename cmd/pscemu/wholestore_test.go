package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities/ecps"
)

// kept is a whole state, its entries by collection and id.
type kept map[string]map[string]json.RawMessage

func parseState(t *testing.T, raw []byte) kept {
	t.Helper()
	var state struct {
		Entries []struct {
			Key   string
			Value json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		t.Fatal(err)
	}
	all := kept{}
	for _, e := range state.Entries {
		collection, id, _ := strings.Cut(e.Key, "/")
		if all[collection] == nil {
			all[collection] = map[string]json.RawMessage{}
		}
		id, _ = url.PathUnescape(id)
		all[collection][id] = e.Value
	}
	return all
}

// in reads a collection.
func in[T any](t *testing.T, all kept, collection string) map[string]T {
	t.Helper()
	out := map[string]T{}
	for id, raw := range all[collection] {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s/%s: %v", collection, id, err)
		}
		out[id] = v
	}
	return out
}

// checkWholeStore looks at everything that is kept: the cards made are those of
// people, of orders and of fleets; each certificate has one card; nobody has
// two devices.
func checkWholeStore(t *testing.T, raw []byte) {
	t.Helper()
	all := parseState(t, raw)
	held, inOrders, inFleets := map[string]int{}, map[string]int{}, map[string]int{}
	for _, list := range in[[]string](t, all, "cards-held") {
		count(held, list)
	}
	for _, o := range in[orders.Order](t, all, "orders") {
		count(inOrders, o.Cards)
		if moved := o.State == orders.InProduction ||
			o.State == orders.Received; moved != (len(o.Cards) > 0) &&
			o.Form == "F101" {
			t.Errorf("the order %s is %s and holds %d cards", o.ID, o.State, len(o.Cards))
		}
	}
	for _, s := range in[orders.Structure](t, all, "structures") {
		count(inFleets, s.Cards)
	}
	made := in[cards.Card](t, all, "cards")
	for _, list := range []map[string]int{held, inOrders, inFleets} {
		for serial := range list {
			if made[serial].Serial == "" {
				t.Errorf("the card %s is named and is not there", serial)
			}
		}
	}
	for serial := range made {
		if held[serial] != 1 || inOrders[serial] > 1 || inFleets[serial] != inOrders[serial] {
			t.Errorf(
				"the card %s is held %d times, in %d orders and %d fleets",
				serial,
				held[serial],
				inOrders[serial],
				inFleets[serial],
			)
		}
	}
	checkCertificates(t, all, made)
	checkDevices(t, all)
}

func count(times map[string]int, list []string) {
	for _, v := range list {
		times[v]++
	}
}

func checkCertificates(t *testing.T, all kept, made map[string]cards.Card) {
	t.Helper()
	certificates, of := in[pki.Certificate](t, all, "certificates"), map[string]int{}
	for _, c := range certificates {
		of[c.CardSerial+" "+string(c.Profile)]++
		if c.State == pki.Revoked && all["revoked-"+c.Authority][c.Serial] == nil {
			t.Errorf("the certificate %s is revoked and on no list", c.Serial)
		}
	}
	for serial, card := range made {
		for _, name := range []string{card.Certificate, card.Signature} {
			c := certificates[name]
			if name != "" && (c.Serial == "" || of[serial+" "+string(c.Profile)] != 1) {
				t.Errorf("the card %s has the certificate %q, of %d", serial, name, of[serial+" "+string(c.Profile)])
			}
			if name != "" && card.State == cards.Opposed && c.State != pki.Revoked {
				t.Errorf("the card %s is opposed, its certificate %s is %s", serial, name, c.State)
			}
		}
	}
}

// checkDevices wants one device in force a person, and none in two places.
func checkDevices(t *testing.T, all kept) {
	t.Helper()
	seen := map[string]bool{}
	for person, d := range in[ecps.Device](t, all, "ecps-devices") {
		if d.NationalID != person || seen[d.ID] || d.Ended != "" {
			t.Errorf("the device of %s: %+v", person, d)
		}
		seen[d.ID] = true
	}
	for person, list := range in[[]ecps.Device](t, all, "ecps-devices-past") {
		if slices.ContainsFunc(list, func(d ecps.Device) bool { return seen[d.ID] || d.Ended == "" }) {
			t.Errorf("a former device of %s is in force", person)
		}
	}
}
