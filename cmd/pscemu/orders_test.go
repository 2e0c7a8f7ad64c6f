package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

// SIRET and FINESS of test structures, with their keys.
var (
	vendorSIRET = "00000001815646"
	hospital    = "0B0172805"
	practice    = func() string { n := "0012345600001"; return n + nomenclature.LuhnKey(n) }()
)

type fields map[string]string

func (f fields) with(more fields) fields {
	out := maps.Clone(f)
	maps.Copy(out, more)
	return out
}

// desk orders by the API as somebody.
type desk struct{ *server }

func (d desk) begin(form, actor, by string, channel orders.Channel, f fields) (o orders.Order, refused refusal) {
	d.t.Helper()
	body, _ := json.Marshal(map[string]any{"form": form, "actor": actor, "by": by, "channel": channel, "fields": f})
	var answer json.RawMessage
	into := any(&o)
	if d.api("POST", "/orders", string(body), &answer) >= 400 {
		into = &refused
	}
	if err := json.Unmarshal(answer, into); err != nil {
		d.t.Fatal(err)
	}
	return o, refused
}

func (d desk) step(id, step, body string) (o orders.Order) {
	d.t.Helper()
	d.api("POST", "/orders/"+id+"/"+step, body, &o)
	return o
}

// order begins and submits.
func (d desk) order(form, actor, by string, f fields) orders.Order {
	d.t.Helper()
	o, refused := d.begin(form, actor, by, "", f)
	if refused.Code != "" {
		d.t.Fatalf("%s for %s: %+v", form, actor, refused)
	}
	return d.step(o.ID, "submit", "")
}

// card is one of an order's.
func (d desk) card(serial string) (c testCard) {
	d.api("GET", "/cards/"+serial, "", &c)
	return c
}

// must is an order that is received, with the cards of these families.
func (d desk) must(o orders.Order, families ...string) []testCard {
	d.t.Helper()
	if o.State != orders.Received || len(o.Cards) != len(families) {
		d.t.Fatalf("%s is %s: %s, cards %v", o.Form, o.State, o.Reason, o.Cards)
	}
	var out []testCard
	for n, serial := range o.Cards {
		c := d.card(serial)
		if c.Type != families[n] || c.State != "active" {
			d.t.Errorf("%s gave %+v, want an active %s", o.Form, c, families[n])
		}
		out = append(out, c)
	}
	return out
}

var headOf = fields{"nom": "DIRECTEUR", "prenom": "TEST", "denomination": "STRUCTURE FICTIVE", "contrat": "oui"}
var staffOf = fields{"nom": "AGENT", "prenom": "TEST", "justification": "accès aux applications"}

// The matrix of the webinar: « Vision globale », actor by actor.
func TestEachActorSeesItsForms(t *testing.T) {
	s := boot(t)
	for actor, want := range map[string]string{
		"liberal": "F414", "etablissement": "F101 F102 F201 F202 F301 F414", "medico-social": "F101 F102 F201 F301 F414", "autre": "F101 F102 F301 F414", "industriel": "F101 F102 F301 F414",
	} {
		var list struct{ Items []orders.Form }
		s.api("GET", "/orders/forms?actor="+actor, "", &list)
		var own, holders []string
		for _, f := range list.Items {
			if f.Holder {
				holders = append(holders, f.No)
			} else {
				own = append(own, f.No)
			}
		}
		if got := strings.Join(own, " "); got != want {
			t.Errorf("%s sees %s, want %s", actor, got, want)
		}
		if got := strings.Join(holders, " "); got != "F413 F501 F502 F503 F504" {
			t.Errorf("a card holder among %s sees %s", actor, got)
		}
	}
	for actor, want := range map[string][]orders.Channel{"liberal": {orders.TOPS}, "etablissement": {orders.TOM}, "medico-social": {orders.TOM}, "autre": {}, "industriel": {}} {
		a, err := orders.ActorNamed(actor)
		if err != nil || !slices.Equal(a.Services, want) {
			t.Errorf("%s: %v, want %v", actor, a.Services, want)
		}
	}
	if _, refused := (desk{s}).begin("F201", "industriel", "", "", fields{}); refused.Code != "form-not-seen" {
		t.Errorf("a vendor's F201: %+v", refused)
	}
}

// One row a rule: what is ordered, what is said, and the sentence of the
// webinar it comes from.
func TestEveryRuleOfTheDeskRefusesWithItsReasonAndItsSource(t *testing.T) {
	s := boot(t)
	d := desk{s}
	head := d.must(d.order("F101", "industriel", "", headOf.with(fields{"siret": vendorSIRET})), "CDA")[0].NationalID
	clinic := d.must(d.order("F101", "etablissement", "", headOf.with(fields{"finess": hospital})), "CDE")[0].NationalID
	generate := func(seed, profession string) string {
		var made struct {
			Items []struct {
				NationalID string `json:"national_id"`
			}
		}
		s.api(
			"POST",
			"/identities/generate",
			`{"count":1,"seed":`+seed+`,"profession":"`+profession+`","means":[]}`,
			&made,
		)
		return made.Items[0].NationalID
	}
	radiographer, optician := generate("77", "98"), generate("78", "28")
	s.api(
		"POST",
		"/identities",
		`{"national_id":"899700366240","family_name":"A","given_name":"B","exercices":[{"codeProfession":"70","codeCategorieProfessionnelle":"E","activities":[{"codeModeExercice":"S"}]}]}`,
		nil,
	)
	s.api(
		"POST",
		"/identities",
		`{"national_id":"899700237045","family_name":"A","given_name":"B","exercices":[{"codeProfession":"60","codeCategorieProfessionnelle":"C","activities":[{"codeModeExercice":"L"}]}]}`,
		nil,
	)
	vendor, clinicOf := fields{"siret": vendorSIRET}, fields{"finess": hospital}
	for _, r := range []struct {
		name, form, actor, by string
		f                     fields
		code, remedy, source  string
	}{
		{"no contract", "F101", "etablissement", "", headOf.with(clinicOf).with(fields{"contrat": "non"}), "contract", "", "Le contrat d'adhésion est intégré dans les démarches F101, F102, F301"},
		{"no structure", "F101", "industriel", "", headOf, "structure", "", ""},
		{"nobody named", "F101", "industriel", "", fields{"siret": practice, "denomination": "X", "contrat": "oui"}, "person", "", ""},
		{"billing, unregistered", "F102", "industriel", "", headOf.with(fields{"siret": practice, "facturation": "oui"}), "billing-number", "Assurance Maladie", "Vous devez être enregistré auprès de l'Assurance Maladie"},
		{"an optician by F201", "F201", "etablissement", "", fields{"identity": optician}, "profession", "F202", "Auxiliaires Médicaux salariés"},
		{"a libéral by F201", "F201", "etablissement", "", fields{"identity": "899700237045"}, "salaried", "", "Auxiliaires Médicaux salariés"},
		{"a student physiotherapist", "F201", "etablissement", "", fields{"identity": "899700366240"}, "no-student", "F301", "Non les CPF des auxiliaires médicaux n'existent pas."},
		{"a radiographer by F202", "F202", "etablissement", "", fields{"identity": radiographer}, "profession", "F201", "prothésiste et orthésiste"},
		{"a CPA without CDA", "F301", "industriel", clinic, staffOf.with(fields{"siret": practice, "contrat": "oui"}), "cpa-needs-head", "F101", "Oui le prérequis est un contrat d'adhésion et une CDA"},
		{"a requester without card", "F301", "etablissement", "899700366240", staffOf.with(clinicOf), "requester-card", "F101", "Pour des CPx de prod oui"},
		{"another structure's head", "F301", "etablissement", head, staffOf.with(clinicOf), "acts-for", "F101", "de la part du chef d'établissement ou son représentant"},
		{"a vendor's carte de service", "F301", "industriel", head, fields{"siret": vendorSIRET, "service": "oui", "justification": "x"}, "service-is-cpe", "nominative", "contrôle d'accès"},
		{"a nurse's CPE", "F301", "etablissement", clinic, staffOf.with(clinicOf).with(fields{"identity": nurse}), "not-professional", "F201", "qui ne sont pas professionnels de santé"},
		{"administrators by nobody", "F413", "industriel", nurse, fields{"siret": vendorSIRET, "administrateurs": nurse, "types": "AUTH_CLI", "cgu": "oui"}, "acts-for", "F502", "à disposition d'un représentant légal (F101, F102) ou d'un mandataire désigné (F502)"},
		{"CGU unread", "F413", "industriel", head, vendor.with(fields{"administrateurs": nurse, "types": "AUTH_CLI"}), "cgu", "", "Conditions Générales d'Utilisation (CGU)"},
		{"an administrator without card", "F413", "industriel", head, vendor.with(fields{"administrateurs": "899700366240", "types": "AUTH_CLI", "cgu": "oui"}), "cards-of", "F301", "ayant déjà des cartes actives"},
		{"a mandate by nobody", "F502", "industriel", nurse, vendor.with(fields{"mandataires": nurse, "action": "désigner"}), "represents", "F101", "Désignation de mandataire(s)"},
		{"a mandataire without card", "F502", "industriel", head, vendor.with(fields{"mandataires": "899700366240", "action": "désigner"}), "cards-of", "F301", "une carte qui a été déclarée mandataire"},
		{"nothing ordered", "F414", "liberal", "", testOrder, "some-card", "", ""},
		{"no number", "F414", "liberal", "", testOrder.with(fields{"kit": "integration", "siret": ""}), "some-number", "", ""},
	} {
		o := d.order(r.form, r.actor, r.by, r.f)
		if o.State != orders.Refused || o.Code != "order-"+r.code || o.Reason == "" ||
			!strings.Contains(o.Remedy, r.remedy) ||
			!strings.Contains(o.Source, r.source) ||
			len(o.Cards) != 0 {
			t.Errorf("%s: %s %s, %q, remedy %q, source %q", r.name, o.State, o.Code, o.Reason, o.Remedy, o.Source)
		}
	}
	// And the rules let through what keeps them.
	d.must(d.order("F201", "etablissement", "", fields{"identity": radiographer}), "CPS")
	d.must(d.order("F202", "etablissement", "", fields{"identity": optician}), "CPS")
	d.must(
		d.order(
			"F102",
			"industriel",
			"",
			headOf.with(fields{"siret": practice, "facturation": "oui", "numero_facturation": "123"}),
		),
		"CDE",
	)
	d.must(d.order("F301", "etablissement", clinic, staffOf.with(clinicOf)), "CPE")
	service := d.must(d.order("F301", "etablissement", clinic, fields{"finess": hospital, "service": "oui", "justification": "accès aux locaux"}), "CPE")[0]
	if browser, page, _ := s.atCard(); !strings.Contains(
		present(s, browser, page, service.Serial, service.PIN),
		"card-not-nominative",
	) {
		t.Error("a carte de service logs in")
	}
}

var testOrder = fields{
	"denomination": "Editeur",
	"adresse":      "1 rue des Essais",
	"code_postal":  "75013",
	"commune":      "PARIS",
	"siret":        "00000001815646",
	"nom":          "A",
	"prenom":       "B",
	"fonction":     "QA",
	"telephone":    "+33639980001",
	"email":        "a@exemple.invalid",
	"date":         "2026-11-24",
	"signature":    "A B",
}

// F101 → CDA → F301 → CPA; the CPA is refused at TOM until F502 makes it
// mandataire; F413 makes it administrator; F503 takes the role away.
func TestFromTheContractToTheMandataireAndTheAdministrator(t *testing.T) {
	s := boot(t)
	d := desk{s}
	head := d.must(d.order("F101", "industriel", "", headOf.with(fields{"siret": vendorSIRET})), "CDA")[0]
	agent := d.must(d.order("F301", "industriel", head.NationalID, staffOf.with(fields{"siret": vendorSIRET})), "CPA")[0]
	if !strings.HasPrefix(agent.NationalID, "5"+vendorSIRET+"/CPAT") {
		t.Errorf("the agent's id: %s", agent.NationalID)
	}
	if got := s.codeOf("POST", "/orders/services/TOM/enter", `{"card":"`+head.Serial+`"}`); got != "" {
		t.Errorf("the CDA at TOM: %s", got)
	}
	var p refusal
	s.api("POST", "/orders/services/TOM/enter", `{"card":"`+agent.Serial+`"}`, &p)
	if p.Code != "service-refused" || !strings.Contains(p.Remedy, "F502") {
		t.Errorf("the CPA at TOM: %+v", p)
	}
	d.must(
		d.order(
			"F502",
			"industriel",
			head.NationalID,
			fields{"siret": vendorSIRET, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	if got := s.codeOf("POST", "/orders/services/TOM/enter", `{"card":"`+agent.Serial+`"}`); got != "" {
		t.Errorf("the mandataire at TOM: %s", got)
	}
	d.must(
		d.order(
			"F413",
			"industriel",
			agent.NationalID,
			fields{
				"siret":           vendorSIRET,
				"administrateurs": agent.NationalID,
				"types":           "AUTH_CLI SIGN",
				"perimetre":       "serveurs",
				"cgu":             "oui",
			},
		),
	)
	var known orders.Structure
	if s.api(
		"GET",
		"/orders/structures/"+vendorSIRET,
		"",
		&known,
	); !slices.Equal(known.Administrators[agent.NationalID].Kinds, []pki.ProfileName{pki.ProfileAuthCLI, pki.ProfileSign}) ||
		known.Representative != head.NationalID {
		t.Errorf("%+v", known)
	}
	d.must(
		d.order(
			"F503",
			"industriel",
			head.NationalID,
			fields{"siret": vendorSIRET, "administrateurs": agent.NationalID, "action": "supprimer"},
		),
	)
	d.must(
		d.order(
			"F502",
			"industriel",
			head.NationalID,
			fields{"siret": vendorSIRET, "mandataires": agent.NationalID, "action": "supprimer"},
		),
	)
	known = orders.Structure{}
	if s.api(
		"GET",
		"/orders/structures/"+vendorSIRET,
		"",
		&known,
	); len(known.Administrators) != 0 ||
		len(known.Mandataires) != 0 {
		t.Errorf("%+v", known)
	}
	// « Les habilitations de différents établissements se font sur une seule carte »
	for n := range 3 {
		number := fmt.Sprintf("00123457%05d", n)
		siret := number + nomenclature.LuhnKey(number)
		other := d.must(d.order("F101", "industriel", "", headOf.with(fields{"siret": siret})), "CDA")[0]
		d.must(
			d.order(
				"F413",
				"industriel",
				other.NationalID,
				fields{"siret": siret, "administrateurs": agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
			),
		)
		if got := s.codeOf(
			"POST",
			"/orders/certificates",
			`{"by":"`+agent.NationalID+`","structure":"`+siret+`","service":"x"}`,
		); got != "" {
			t.Errorf("structure %d with the one card: %s", n+1, got)
		}
	}
	// The head takes the card back when the agent leaves; nobody else can.
	var fleet struct{ Items []testCard }
	if s.api("GET", "/orders/fleet?by="+url.QueryEscape(head.NationalID), "", &fleet); len(fleet.Items) != 2 {
		t.Errorf("the fleet: %+v", fleet)
	}
	if got := s.codeOf(
		"POST",
		"/orders/fleet/take-back",
		`{"by":"`+agent.NationalID+`","card":"`+head.Serial+`"}`,
	); got != "card-not-managed" {
		t.Errorf("taken back by the agent: %s", got)
	}
	s.api("POST", "/orders/fleet/take-back", `{"by":"`+head.NationalID+`","card":"`+agent.Serial+`"}`, nil)
	if c := d.card(agent.Serial); c.State != "opposed" {
		t.Errorf("after the departure: %+v", c)
	}
}

// F501: loss and theft oppose at once, a lost code sends a new one, a changed
// address is kept; F504 changes the address, too.
func TestIncidentsOfACardHolder(t *testing.T) {
	s := boot(t)
	d := desk{s}
	var list struct{ Items []testCard }
	s.api("GET", "/cards?national_id="+nurse, "", &list)
	own := list.Items[0]
	logsIn := func(serial, pin string) bool {
		browser, page, _ := s.atCard()
		return strings.Contains(present(s, browser, page, serial, pin), "code=")
	}
	d.must(d.order("F501", "etablissement", nurse, fields{"carte": own.Serial, "incident": "perte du code"}))
	mail := message{}
	if s.api(
		"GET",
		"/outbox/wait?national_id="+nurse,
		"",
		&mail,
	); len(mail.Code) != 4 ||
		!logsIn(own.Serial, mail.Code) {
		t.Errorf("the new code: %+v", mail)
	}
	d.must(d.order("F504", "etablissement", nurse, fields{"carte": own.Serial, "adresse": "2 rue du Prototype"}))
	var kept struct{ Address string }
	if s.api("GET", "/cards/"+own.Serial, "", &kept); kept.Address != "2 rue du Prototype" {
		t.Errorf("the address: %+v", kept)
	}
	if o := d.order(
		"F501",
		"etablissement",
		doctor,
		fields{"carte": own.Serial, "incident": "vol"},
	); o.Code != "order-own-card" {
		t.Errorf("another person's card: %+v", o)
	}
	if o := d.order(
		"F501",
		"etablissement",
		nurse,
		fields{"carte": own.Serial, "incident": "changement d'adresse"},
	); o.Code != "order-address-given" {
		t.Errorf("no address: %+v", o)
	}
	o := d.order(
		"F501",
		"etablissement",
		nurse,
		fields{"carte": own.Serial, "incident": "perte", "remplacement": "oui"},
	)
	replacement := d.must(o, "CPS")[0]
	if logsIn(own.Serial, mail.Code) || !logsIn(replacement.Serial, replacement.PIN) {
		t.Error("the lost card logs in, or its replacement does not")
	}
}

// The life of an order when production takes its time, on the emulator's clock.
func TestAnOrdersLifeWithDelay(t *testing.T) {
	s := boot(t, "--order-delay", "240h")
	d := desk{s}
	o, _ := d.begin(
		"F101",
		"industriel",
		"",
		orders.Simplified,
		headOf.with(fields{"siret": vendorSIRET, "denomination": ""}),
	)
	if o = d.step(
		o.ID,
		"submit",
		"",
	); o.State != orders.Incomplete || !slices.Equal(o.Missing, []string{"denomination"}) ||
		o.Channel != orders.Simplified {
		t.Fatalf("%+v", o)
	}
	s.api("PUT", "/orders/"+o.ID, `{"fields":{"denomination":"EDITEUR"}}`, nil)
	if o = d.step(o.ID, "submit", ""); o.State != orders.Submitted || len(o.Cards) != 0 {
		t.Fatalf("%+v", o)
	}
	if o = d.step(
		o.ID,
		"validate",
		"",
	); o.State != orders.InProduction || len(o.Cards) != 1 ||
		d.card(o.Cards[0]).State != "sent" {
		t.Fatalf("%+v", o)
	}
	serial := o.Cards[0]
	browser, page, _ := s.atCard()
	if got := present(s, browser, page, serial, "1234"); !strings.Contains(got, "card-not-delivered") {
		t.Errorf("attack 14, a card on its way: %.300s", got)
	}
	if got := s.codeOf("POST", "/orders/"+o.ID+"/deliver", ""); got != "order-state" {
		t.Errorf("delivered before it is made: %s", got)
	}
	s.api("PUT", "/clock", `{"offset":"241h"}`, nil)
	var now orders.Order
	if s.api("GET", "/orders/"+o.ID, "", &now); now.State != orders.Sent {
		t.Errorf("after ten days: %s", now.State)
	}
	if o = d.step(o.ID, "deliver", ""); o.State != orders.Received || d.card(serial).State != "active" {
		t.Errorf("%+v", o)
	}
	var states []string
	for _, h := range o.History {
		states = append(states, string(h.State))
	}
	if got := strings.Join(states, " "); got != "draft incomplete submitted accepted in-production sent received" {
		t.Errorf("the history: %s", got)
	}
	// Refused by the ANS; cancelled; and what can no longer be.
	o, _ = d.begin("F101", "industriel", "", "", headOf.with(fields{"siret": practice}))
	d.step(o.ID, "submit", "")
	if got := s.codeOf("POST", "/orders/"+o.ID+"/reject", `{"reason":""}`); got != "reason-missing" {
		t.Errorf("a refusal without reason: %s", got)
	}
	if o = d.step(
		o.ID,
		"reject",
		`{"reason":"pièce illisible"}`,
	); o.State != orders.Refused ||
		o.Reason != "pièce illisible" {
		t.Errorf("%+v", o)
	}
	if got := s.codeOf("POST", "/orders/"+o.ID+"/cancel", ""); got != "order-state" {
		t.Errorf("cancelled when refused: %s", got)
	}
	o, _ = d.begin("F101", "industriel", "", "", headOf.with(fields{"siret": practice}))
	if o = d.step(o.ID, "cancel", ""); o.State != orders.Cancelled {
		t.Errorf("%+v", o)
	}
}

func TestWrongFieldsAndChannelsAreNamed(t *testing.T) {
	s := boot(t)
	for name, c := range map[string]struct {
		form, actor string
		channel     orders.Channel
		f           fields
		code, says  string
	}{
		"SIRET's key":               {"F101", "industriel", "", fields{"siret": "00000001815645"}, "order-field-wrong", "siret"},
		"FINESS too short":          {"F101", "industriel", "", fields{"finess": "0B017"}, "order-field-wrong", "finess"},
		"a mail address":            {"F414", "liberal", "", fields{"email": "x"}, "order-field-wrong", "email"},
		"a date":                    {"F414", "liberal", "", fields{"date": "24/11/2026"}, "order-field-wrong", "date"},
		"a quantity":                {"F414", "liberal", "", fields{"quantite": "1000"}, "order-field-wrong", "quantite"},
		"a kit":                     {"F414", "liberal", "", fields{"kit": "x"}, "order-field-wrong", "kit"},
		"a choice":                  {"F501", "liberal", "", fields{"incident": "x"}, "order-field-wrong", "incident"},
		"a kind of certificate":     {"F413", "industriel", "", fields{"types": "ROOT"}, "order-field-wrong", "types"},
		"an unknown field":          {"F101", "industriel", "", fields{"couleur": "bleu"}, "order-field-unknown", ""},
		"an unknown form":           {"F999", "industriel", "", nil, "form-unknown", ""},
		"an unknown actor":          {"F101", "nobody", "", nil, "actor-unknown", ""},
		"an unknown channel":        {"F101", "industriel", "fax", nil, "channel-unknown", ""},
		"no démarche simplifiée":    {"F501", "industriel", orders.Simplified, fields{"carte": "1"}, "channel-not-offered", ""},
		"simplified without SIRET":  {"F101", "industriel", orders.Simplified, fields{"finess": hospital}, "siret-missing", ""},
		"simplified, another SIRET": {"F101", "industriel", orders.Simplified, fields{"siret": "12345678901234"}, "siret-missing", ""},
	} {
		body, _ := json.Marshal(map[string]any{"form": c.form, "actor": c.actor, "channel": c.channel, "fields": c.f})
		var p struct{ Code, Reason string }
		if s.api("POST", "/orders", string(body), &p); p.Code != c.code || !strings.Contains(p.Reason, c.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if got := s.codeOf("POST", "/orders/none/submit", ""); got != "order-unknown" {
		t.Errorf("no such order: %s", got)
	}
}

// « Dès lors qu'un interne en médecine est inscrit au CNOM et a obtenu son
// identifiant RPPS, une carte CPS lui est automatiquement attribuée. »
func TestTheOrderGivesACPSWithoutAsking(t *testing.T) {
	s := boot(t)
	s.api(
		"POST",
		"/identities",
		`{"national_id":"899700366240","family_name":"INTERNE","given_name":"KIT","exercices":[{"codeProfession":"10","codeCategorieProfessionnelle":"E","activities":[{"codeRole":"FON-48"}]}]}`,
		nil,
	)
	s.api(
		"POST",
		"/identities",
		`{"national_id":"899700237045","family_name":"OPTICIEN","given_name":"KIT","exercices":[{"codeProfession":"28","activities":[]}]}`,
		nil,
	)
	var c testCard
	if s.api(
		"POST",
		"/orders/registrations",
		`{"identity":"899700366240"}`,
		&c,
	); c.Type != "CPS" ||
		c.State != "active" {
		t.Errorf("the intern: %+v", c)
	}
	if got := s.codeOf("POST", "/orders/registrations", `{"identity":"899700366240"}`); got != "card-there" {
		t.Errorf("twice: %s", got)
	}
	if got := s.codeOf(
		"POST",
		"/orders/registrations",
		`{"identity":"899700237045"}`,
	); got != "registration-without-order" {
		t.Errorf("an optician: %s", got)
	}
}

// The integration kit by F414, as nobody in particular.
func TestBrowserTheKitIsOrderedByF414AsNobodyInParticular(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	fill := []chromedp.Action{
		chromedp.Navigate(s.ConsoleURL + "/orders?actor=liberal"),
		visible("form-F414"),
		shot("orders"),
		press("form-F414"),
		visible("order-form"),
	}
	for name, value := range testOrder.with(fields{"kit": "integration"}) {
		fill = append(fill, chromedp.SetValue(hook("field."+name), value, chromedp.ByQuery))
	}
	var state string
	var cards int
	do(
		t,
		ctx,
		append(
			fill,
			shot("order-form"),
			press("order-submit"),
			visible("order-state"),
			chromedp.Text(hook("order-state"), &state, chromedp.ByQuery),
			chromedp.Evaluate(`document.querySelectorAll("[data-testid=order-card]").length`, &cards),
			shot("order"),
		)...)
	if state != "received" || cards != 5 {
		t.Errorf("%s with %d cards", state, cards)
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/orders/new?form=F301&actor=industriel"),
		visible("order-form"),
		chromedp.SetValue(hook("field.siret"), vendorSIRET, chromedp.ByQuery),
		chromedp.SetValue(hook("field.nom"), "A", chromedp.ByQuery),
		chromedp.SetValue(hook("field.prenom"), "B", chromedp.ByQuery),
		chromedp.SetValue(
			hook("field.justification"),
			"x",
			chromedp.ByQuery,
		),
		chromedp.SetValue(hook("order-by"), nurse, chromedp.ByQuery),
		press("order-submit"),
		visible("order-reason"),
		shot("order-refused"),
	)
	if got := textOf(t, ctx, "order-reason"); !strings.Contains(got, "CDA") || !strings.Contains(got, "F101") {
		t.Errorf("the refusal: %s", got)
	}
}

// « Pour accéder à TOM il faut une CDE ou CDA ou une carte qui a été déclarée
// mandataire » — a hospital's CPE, then; and TOPS is the libéraux'.
func TestWhoEntersTOPSAndTOM(t *testing.T) {
	s := boot(t)
	d := desk{s}
	head := d.must(d.order("F101", "etablissement", "", headOf.with(fields{"finess": hospital})), "CDE")[0]
	agent := d.must(d.order("F301", "etablissement", head.NationalID, staffOf.with(fields{"finess": hospital})), "CPE")[0]
	var libéral, salaried struct{ Items []testCard }
	s.api("GET", "/cards?national_id=899790055851", "", &libéral) // the physiotherapist
	s.api("GET", "/cards?national_id="+nurse, "", &salaried)
	enter := func(service, card string) string {
		return s.codeOf("POST", "/orders/services/"+service+"/enter", `{"card":"`+card+`"}`)
	}
	for _, c := range []struct{ service, card, want string }{
		{"TOM", head.Serial, ""}, {"TOM", agent.Serial, "service-refused"}, {"TOM", libéral.Items[0].Serial, "service-refused"},
		{"TOPS", libéral.Items[0].Serial, ""}, {"TOPS", salaried.Items[0].Serial, "service-refused"}, {"TOPS", agent.Serial, "service-refused"}, {"FAX", agent.Serial, "service-unknown"},
	} {
		if got := enter(c.service, c.card); got != c.want {
			t.Errorf("%s: %q, want %q", c.service, got, c.want)
		}
	}
	d.must(
		d.order(
			"F502",
			"etablissement",
			head.NationalID,
			fields{"finess": hospital, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	if got := enter("TOM", agent.Serial); got != "" {
		t.Errorf("the mandataire: %s", got)
	}
	s.cli("cards", "oppose", head.Serial)
	if got := enter("TOM", head.Serial); got != "card-opposed" {
		t.Errorf("an opposed CDE: %s", got)
	}
	// A libéral orders by TOPS, not on paper; somebody salaried does not.
	order := fields{
		"siret":         practice,
		"nom":           "SECRETAIRE",
		"prenom":        "TEST",
		"justification": "accueil",
		"contrat":       "oui",
	}
	if _, refused := d.begin("F301", "liberal", "899790055851", "", order); refused.Code != "form-not-seen" {
		t.Errorf("on paper: %+v", refused)
	}
	o, refused := d.begin("F301", "liberal", "899790055851", orders.TOPS, order)
	if refused.Code != "" {
		t.Fatal(refused)
	}
	d.must(d.step(o.ID, "submit", ""), "CPE")
	o, _ = d.begin("F301", "liberal", nurse, orders.TOPS, order)
	if o = d.step(o.ID, "submit", ""); o.Code != "order-acts-for" {
		t.Errorf("somebody salaried: %+v", o)
	}
}

// F101 → CDA → F301 → CPA, on the pages.
func TestBrowserFromF101ToACPA(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	fill := func(form string, f fields, by string) []chromedp.Action {
		out := []chromedp.Action{
			chromedp.Navigate(s.ConsoleURL + "/orders?actor=industriel"),
			visible("form-" + form),
			press("form-" + form),
			visible("order-form"),
		}
		for name, value := range f {
			out = append(out, chromedp.SetValue(hook("field."+name), value, chromedp.ByQuery))
		}
		if by != "" {
			out = append(out, chromedp.SetValue(hook("order-by"), by, chromedp.ByQuery))
		}
		return append(out, press("order-submit"), visible("order-card"), press("order-card"), visible("card-id"))
	}
	var head, agent, face string
	do(
		t,
		ctx,
		append(
			fill("F101", headOf.with(fields{"siret": vendorSIRET}), ""),
			chromedp.TextContent(hook("card-id"), &head, chromedp.ByQuery),
		)...)
	do(
		t,
		ctx,
		append(
			fill("F301", staffOf.with(fields{"siret": vendorSIRET}), head),
			chromedp.TextContent(hook("card-id"), &agent, chromedp.ByQuery),
			chromedp.TextContent(hook("card-face"), &face, chromedp.ByQuery),
		)...)
	if !strings.HasPrefix(head, "5"+vendorSIRET+"/CDA") || !strings.HasPrefix(agent, "5"+vendorSIRET+"/CPA") ||
		!strings.Contains(face, "CPA") ||
		!strings.Contains(face, "SPÉCIMEN") {
		t.Errorf("%s, %s, %s", head, agent, face)
	}
}

// A vendor with a head and an agent, who holds a CPA and administers.
func (d desk) vendor() (head, agent testCard) {
	d.t.Helper()
	head = d.must(d.order("F101", "industriel", "", headOf.with(fields{"siret": vendorSIRET})), "CDA")[0]
	agent = d.must(d.order("F301", "industriel", head.NationalID, staffOf.with(fields{"siret": vendorSIRET})), "CPA")[0]
	d.must(
		d.order(
			"F413",
			"industriel",
			head.NationalID,
			fields{"siret": vendorSIRET, "administrateurs": agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
		),
	)
	return head, agent
}

// F413 → certificate → client → login with it; revoked, the next token call
// fails with the reason.
func TestAnAdministratorOrdersACertificateThatAClientUses(t *testing.T) {
	s := boot(t)
	d := desk{s}
	head, agent := d.vendor()
	s.cli("clients", "add", "app-vendeur", "--redirect-uri", callbackURL)
	order := func(by, more string) (issued struct{ Serial, Certificate, Key, Code string }) {
		s.api(
			"POST",
			"/orders/certificates",
			`{"by":"`+by+`","structure":"`+vendorSIRET+`","service":"Mon service"`+more+`}`,
			&issued,
		)
		return issued
	}
	if got := order(head.NationalID, ""); got.Code != "not-administrator" {
		t.Errorf("the head is no administrator: %+v", got)
	}
	if got := order(agent.NationalID, `,"profile":"SIGN"`); got.Code != "kind-outside-perimeter" {
		t.Errorf("outside the perimeter: %+v", got)
	}
	if got := s.codeOf(
		"POST",
		"/orders/certificates",
		`{"by":"`+agent.NationalID+`","structure":"`+vendorSIRET+`","service":" "}`,
	); got != "service-missing" {
		t.Errorf("no service: %s", got)
	}
	issued := order(agent.NationalID, "")
	pair, err := tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	if err != nil {
		t.Fatalf("%v %+v", err, issued)
	}
	leaf, _ := x509.ParseCertificate(pair.Certificate[0])
	if !strings.Contains(leaf.Subject.String(), "CN=Mon service") ||
		!strings.Contains(leaf.Subject.String(), "OU=3"+vendorSIRET) {
		t.Errorf("the subject: %s", leaf.Subject)
	}
	token := func() string {
		q := url.Values{
			"response_type": {"code"},
			"client_id":     {"app-vendeur"},
			"redirect_uri":  {callbackURL},
			"scope":         {"openid"},
			"login_hint":    {"auto:" + doctor},
		}
		resp, err := s.browser().Get(s.BaseURL + "/auth?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, _ := resp.Location()
		resp, err = s.http(&pair).
			PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"app-vendeur"}, "code": {back.Query().Get("code")}, "redirect_uri": {callbackURL}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if got := token(); !strings.Contains(got, "invalid_client") {
		t.Errorf("before it is bound: %s", got)
	}
	if got := s.codeOf("POST", "/certificates/"+issued.Serial+"/bind", `{"client_id":"app-vendeur"}`); got != "" {
		t.Fatal(got)
	}
	if got := token(); !strings.Contains(got, "access_token") {
		t.Errorf("bound: %s", got)
	}
	if got := s.codeOf(
		"POST",
		"/orders/certificates/"+issued.Serial+"/revoke",
		`{"by":"`+head.NationalID+`"}`,
	); got != "not-administrator" {
		t.Errorf("revoked by the head: %s", got)
	}
	var list struct {
		Items []struct{ Serial, State string }
	}
	if s.api(
		"GET",
		"/orders/certificates?by="+url.QueryEscape(agent.NationalID),
		"",
		&list,
	); len(list.Items) != 1 ||
		list.Items[0].State != "valid" {
		t.Errorf("%+v", list)
	}
	if got := s.codeOf(
		"POST",
		"/orders/certificates/"+issued.Serial+"/revoke",
		`{"by":"`+agent.NationalID+`"}`,
	); got != "" {
		t.Error(got)
	}
	if got := token(); !strings.Contains(got, "invalid_client") || !strings.Contains(got, "revoked") {
		t.Errorf("revoked: %s", got)
	}
	// Without a card no administrator orders.
	s.cli("cards", "oppose", agent.Serial)
	if got := order(agent.NationalID, ""); got.Code != "administrator-without-card" {
		t.Errorf("without a card: %+v", got)
	}
}

// A card holder at the desk: the CPA is refused at TOM with the reason, made
// mandataire by F502 and let in; orders, takes back; orders a certificate and
// binds it.
func TestBrowserTheDeskForCardHolders(t *testing.T) {
	s := boot(t)
	d := desk{s}
	head, agent := d.vendor()
	s.cli("clients", "add", "app-vendeur", "--redirect-uri", callbackURL)
	ctx := chrome(t, s, "")
	enter := func(c testCard) {
		t.Helper()
		s.api("PUT", "/reader", `{"card":"`+c.Serial+`"}`, nil)
		do(
			t,
			ctx,
			chromedp.Navigate(s.ConsoleURL+"/desk"),
			press("desk-start"),
			visible("login-page"),
			press("tab-card"),
			visible("card-choice"),
			chromedp.SendKeys("#pin", c.PIN, chromedp.ByQuery),
			press("submit-card"),
			visible("desk-by"),
		)
	}
	enter(agent)
	if got := textOf(t, ctx, "tom-refused"); !strings.Contains(got, "CDE") || !strings.Contains(got, "F502") {
		t.Errorf("TOM says %q", got)
	}
	d.must(
		d.order(
			"F502",
			"industriel",
			head.NationalID,
			fields{"siret": vendorSIRET, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		visible("tom"),
		shot("desk"),
		typed("tom-nom", "NOUVEAU"),
		typed("tom-prenom", "AGENT"),
		typed("tom-justification", "essais"),
		press("tom-order"),
		visible("order-state"),
	)
	if got := textOf(t, ctx, "order-state"); got != "received" {
		t.Errorf("the order is %s", got)
	}
	var fleet int
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		visible("fleet-card"),
		chromedp.Evaluate(`document.querySelectorAll("[data-testid=fleet-card]").length`, &fleet),
		typed("certificate-service", "Service du bureau"),
		press("certificate-order"),
		visible("ordered-certificate"),
		chromedp.SetValue(
			hook("bind-client"),
			"app-vendeur",
			chromedp.ByQuery,
		),
		press("bind"),
		visible("bound-dn"),
		shot("client"),
	)
	if got := textOf(t, ctx, "bound-dn"); fleet != 3 || !strings.Contains(got, "CN=Service du bureau") {
		t.Errorf("%d cards in the fleet; bound %q", fleet, got)
	}
	// Somebody by e-CPS is not let in.
	other := chrome(t, s, "")
	do(
		t,
		other,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		press("desk-start"),
		visible("login-page"),
		typed("national-id", doctor),
		press("submit-ecps"),
		visible("error"),
	)
	if got := textOf(t, other, "error"); !strings.Contains(got, "desk-wants-card") {
		t.Errorf("by e-CPS: %s", got)
	}
	do(t, other, chromedp.Navigate(s.ConsoleURL+"/certificates"), visible("certificates"), shot("certificates"))
}
