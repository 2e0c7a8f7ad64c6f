package testkit

import (
	"encoding/json"
	"fmt"
	"maps"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

// SIRET is a test structure's number.
func SIRET(n int) string {
	inner := fmt.Sprintf("001%05d", n)
	siren := inner + nomenclature.LuhnKey(inner)
	return siren + "0001" + nomenclature.LuhnKey(siren+"0001")
}

// VendorSIRET is the vendor's SIRET, with its key.
var VendorSIRET = "00000001815646"

// Fields are what a form is filled with.
type Fields map[string]string

// With is these fields with more, or with others instead.
func (f Fields) With(more Fields) Fields {
	out := maps.Clone(f)
	maps.Copy(out, more)
	return out
}

// Desk orders by the API as somebody.
type Desk struct{ *Server }

// Begin fills a form in, and returns the order or the refusal.
func (d Desk) Begin(form, actor, by string, channel orders.Channel, f Fields) (o orders.Order, refused Refusal) {
	d.T.Helper()
	body, _ := json.Marshal(map[string]any{"form": form, "actor": actor, "by": by, "channel": channel, "fields": f})
	var answer json.RawMessage
	into := any(&o)
	if d.API("POST", "/orders", string(body), &answer) >= 400 {
		into = &refused
	}
	if err := json.Unmarshal(answer, into); err != nil {
		d.T.Fatal(err)
	}
	return o, refused
}

// Step takes an order one step on.
func (d Desk) Step(id, step, body string) (o orders.Order) {
	d.T.Helper()
	d.API("POST", "/orders/"+id+"/"+step, body, &o)
	return o
}

// Order begins and submits.
func (d Desk) Order(form, actor, by string, f Fields) orders.Order {
	d.T.Helper()
	o, refused := d.Begin(form, actor, by, "", f)
	if refused.Code != "" {
		d.T.Fatalf("%s for %s: %+v", form, actor, refused)
	}
	return d.Step(o.ID, "submit", "")
}

// Card is one of an order's.
func (d Desk) Card(serial string) (c Card) {
	d.API("GET", "/cards/"+serial, "", &c)
	return c
}

// Must is an order that is received, with the cards of these families.
func (d Desk) Must(o orders.Order, families ...string) []Card {
	d.T.Helper()
	if o.State != orders.Received || len(o.Cards) != len(families) {
		d.T.Fatalf("%s is %s: %s, cards %v", o.Form, o.State, o.Reason, o.Cards)
	}
	var out []Card
	for n, serial := range o.Cards {
		c := d.Card(serial)
		if c.Type != families[n] || c.State != "active" {
			d.T.Errorf("%s gave %+v, want an active %s", o.Form, c, families[n])
		}
		out = append(out, c)
	}
	return out
}

// HeadOf is what an order for the head of a structure says.
var HeadOf = Fields{"nom": "DIRECTEUR", "prenom": "TEST", "denomination": "STRUCTURE FICTIVE", "contrat": "oui"}

// StaffOf is what an order for a structure's staff says.
var StaffOf = Fields{"nom": "AGENT", "prenom": "TEST", "justification": "accès aux applications"}

// Vendor is a vendor with a head and an agent, who holds a CPA and administers.
func (d Desk) Vendor() (head, agent Card) {
	d.T.Helper()
	head = d.Must(d.Order("F101", "industriel", "", HeadOf.With(Fields{"siret": VendorSIRET})), "CDA")[0]
	agent = d.Must(d.Order("F301", "industriel", head.NationalID, StaffOf.With(Fields{"siret": VendorSIRET})), "CPA")[0]
	d.Must(
		d.Order(
			"F413",
			"industriel",
			head.NationalID,
			Fields{"siret": VendorSIRET, "administrateurs": agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
		),
	)
	return head, agent
}
