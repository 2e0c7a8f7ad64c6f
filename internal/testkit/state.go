package testkit

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/identities/ecps"
)

// Send puts bytes at a path of the control API and returns the status with the
// code of the refusal.
func Send(t testing.TB, r emulator.Ready, method, path string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.APIURL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	var p Refusal
	_ = json.NewDecoder(resp.Body).Decode(&p)
	return resp.StatusCode, p.Code
}

// Fetched is what the control API answers, which must be there.
func Fetched(t testing.TB, r emulator.Ready, path string) []byte {
	t.Helper()
	req, err := http.NewRequest("GET", r.APIURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET %s: %s %v", path, resp.Status, err)
	}
	return raw
}

// SettledBackup waits until an emulator that was just started has made all its keys,
// and answers its backup.
func SettledBackup(t testing.TB, r emulator.Ready) []byte {
	t.Helper()
	var raw []byte
	Eventually(t, "keys and authorities are made", func() bool {
		raw = Fetched(t, r, "/backup")
		return bytes.Contains(raw, []byte("authorities/fo-pers")) &&
			bytes.Contains(raw, []byte("authorities/st-pers")) &&
			bytes.Contains(raw, []byte("keys/encryption"))
	})
	return raw
}

// Entries are what is stored, without what a restore makes anew.
func (s *Server) Entries() map[string]string {
	s.T.Helper()
	var state struct {
		Entries []struct {
			Key   string
			Value any
		}
	}
	s.API("GET", "/state", "", &state)
	out := map[string]string{}
	for _, e := range state.Entries {
		out[e.Key] = Encoded(s.T, e.Value)
	}
	return out
}

// kept is a whole state, its entries by collection and id.
type kept map[string]map[string]json.RawMessage

func parseState(t testing.TB, raw []byte) kept {
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
func in[T any](t testing.TB, all kept, collection string) map[string]T {
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

// CheckWholeStore looks at everything that is kept: the cards made are those of
// people, of orders and of fleets; each certificate has one card; nobody has
// two devices.
func CheckWholeStore(t testing.TB, raw []byte) {
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

func checkCertificates(t testing.TB, all kept, made map[string]cards.Card) {
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
func checkDevices(t testing.TB, all kept) {
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
