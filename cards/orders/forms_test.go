package orders_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/testkit"
)

// SIRET and FINESS of test structures, with their keys.
var (
	hospital = "0B0172805"
	practice = func() string { n := "0012345600001"; return n + nomenclature.LuhnKey(n) }()
)

// The matrix of the webinar: « Vision globale », actor by actor.
func TestEachActorSeesItsForms(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for actor, want := range map[string]string{
		"liberal":       "F414",
		"etablissement": "F101 F102 F201 F202 F301 F414",
		"medico-social": "F101 F102 F201 F301 F414",
		"autre":         "F101 F102 F301 F414",
		"industriel":    "F101 F102 F301 F414",
	} {
		var list struct{ Items []orders.Form }
		s.API("GET", "/orders/forms?actor="+actor, "", &list)
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
	for actor, want := range map[string][]orders.Channel{
		"liberal":       {orders.TOPS},
		"etablissement": {orders.TOM},
		"medico-social": {orders.TOM},
		"autre":         {},
		"industriel":    {},
	} {
		a, err := orders.ActorNamed(actor)
		if err != nil || !slices.Equal(a.Services, want) {
			t.Errorf("%s: %v, want %v", actor, a.Services, want)
		}
	}
	if _, refused := (testkit.Desk{
		Server: s,
	}).Begin("F201", "industriel", "", "", testkit.Fields{}); refused.Code != "form-not-seen" {
		t.Errorf("a vendor's F201: %+v", refused)
	}
}

// One row a rule: what is ordered, what is said, and the sentence of the
// webinar it comes from.
func TestEveryRuleOfTheDeskRefusesWithItsReasonAndItsSource(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	head := d.Must(d.Order("F101", "industriel", "", testkit.HeadOf.With(testkit.Fields{
		"siret": testkit.VendorSIRET,
	})), "CDA")[0].NationalID
	clinic := d.Must(d.Order("F101", "etablissement", "", testkit.HeadOf.With(testkit.Fields{
		"finess": hospital,
	})), "CDE")[0].NationalID
	generate := func(seed, profession string) string {
		var made struct {
			Items []struct {
				NationalID string `json:"national_id"`
			}
		}
		s.API(
			"POST",
			"/identities/generate",
			`{"count":1,"seed":`+seed+`,"profession":"`+profession+`","means":[]}`,
			&made,
		)
		return made.Items[0].NationalID
	}
	radiographer, optician := generate("77", "98"), generate("78", "28")
	s.API(
		"POST",
		"/identities",
		`{"national_id":"899700366240","family_name":"A","given_name":"B","exercices":[{"codeProfession":"70",`+
			`"codeCategorieProfessionnelle":"E","activities":[{"codeModeExercice":"S"}]}]}`,
		nil,
	)
	s.API(
		"POST",
		"/identities",
		`{"national_id":"899700237045","family_name":"A","given_name":"B","exercices":[{"codeProfession":"60",`+
			`"codeCategorieProfessionnelle":"C","activities":[{"codeModeExercice":"L"}]}]}`,
		nil,
	)
	vendor, clinicOf := testkit.Fields{"siret": testkit.VendorSIRET}, testkit.Fields{"finess": hospital}
	for _, r := range []struct {
		name, form, actor, by string
		f                     testkit.Fields
		code, remedy, source  string
	}{
		{
			"no contract",
			"F101",
			"etablissement",
			"",
			testkit.HeadOf.With(clinicOf).With(testkit.Fields{"contrat": "non"}),
			"contract",
			"",
			"Le contrat d'adhésion est intégré dans les démarches F101, F102, F301",
		},
		{"no structure", "F101", "industriel", "", testkit.HeadOf, "structure", "", ""},
		{
			"nobody named",
			"F101",
			"industriel",
			"",
			testkit.Fields{"siret": practice, "denomination": "X", "contrat": "oui"},
			"person",
			"",
			"",
		},
		{
			"billing, unregistered",
			"F102",
			"industriel",
			"",
			testkit.HeadOf.With(testkit.Fields{"siret": practice, "facturation": "oui"}),
			"billing-number",
			"Assurance Maladie",
			"Vous devez être enregistré auprès de l'Assurance Maladie",
		},
		{
			"an optician by F201",
			"F201",
			"etablissement",
			"",
			testkit.Fields{"identity": optician},
			"profession",
			"F202",
			"Auxiliaires Médicaux salariés",
		},
		{
			"a libéral by F201",
			"F201",
			"etablissement",
			"",
			testkit.Fields{"identity": "899700237045"},
			"salaried",
			"",
			"Auxiliaires Médicaux salariés",
		},
		{
			"a student physiotherapist",
			"F201",
			"etablissement",
			"",
			testkit.Fields{"identity": "899700366240"},
			"no-student",
			"F301",
			"Non les CPF des auxiliaires médicaux n'existent pas.",
		},
		{
			"a radiographer by F202",
			"F202",
			"etablissement",
			"",
			testkit.Fields{"identity": radiographer},
			"profession",
			"F201",
			"prothésiste et orthésiste",
		},
		{
			"a CPA without CDA",
			"F301",
			"industriel",
			clinic,
			testkit.StaffOf.With(testkit.Fields{"siret": practice, "contrat": "oui"}),
			"cpa-needs-head",
			"F101",
			"Oui le prérequis est un contrat d'adhésion et une CDA",
		},
		{
			"a requester without card",
			"F301",
			"etablissement",
			"899700366240",
			testkit.StaffOf.With(clinicOf),
			"requester-card",
			"F101",
			"Pour des CPx de prod oui",
		},
		{
			"another structure's head",
			"F301",
			"etablissement",
			head,
			testkit.StaffOf.With(clinicOf),
			"acts-for",
			"F101",
			"de la part du chef d'établissement ou son représentant",
		},
		{
			"a vendor's carte de service",
			"F301",
			"industriel",
			head,
			testkit.Fields{"siret": testkit.VendorSIRET, "service": "oui", "justification": "x"},
			"service-is-cpe",
			"nominative",
			"contrôle d'accès",
		},
		{
			"a nurse's CPE",
			"F301",
			"etablissement",
			clinic,
			testkit.StaffOf.With(clinicOf).With(testkit.Fields{"identity": testkit.Nurse}),
			"not-professional",
			"F201",
			"qui ne sont pas professionnels de santé",
		},
		{
			"administrators by nobody",
			"F413",
			"industriel",
			testkit.Nurse,
			testkit.Fields{"siret": testkit.VendorSIRET, "administrateurs": testkit.Nurse, "types": "AUTH_CLI", "cgu": "oui"},
			"acts-for",
			"F502",
			"à disposition d'un représentant légal (F101, F102) ou d'un mandataire désigné (F502)",
		},
		{
			"CGU unread",
			"F413",
			"industriel",
			head,
			vendor.With(testkit.Fields{"administrateurs": testkit.Nurse, "types": "AUTH_CLI"}),
			"cgu",
			"",
			"Conditions Générales d'Utilisation (CGU)",
		},
		{
			"an administrator without card",
			"F413",
			"industriel",
			head,
			vendor.With(testkit.Fields{"administrateurs": "899700366240", "types": "AUTH_CLI", "cgu": "oui"}),
			"cards-of",
			"F301",
			"ayant déjà des cartes actives",
		},
		{
			"a mandate by nobody",
			"F502",
			"industriel",
			testkit.Nurse,
			vendor.With(testkit.Fields{"mandataires": testkit.Nurse, "action": "désigner"}),
			"represents",
			"F101",
			"Désignation de mandataire(s)",
		},
		{
			"a mandataire without card",
			"F502",
			"industriel",
			head,
			vendor.With(testkit.Fields{"mandataires": "899700366240", "action": "désigner"}),
			"cards-of",
			"F301",
			"une carte qui a été déclarée mandataire",
		},
		{"nothing ordered", "F414", "liberal", "", testOrder, "some-card", "", ""},
		{
			"no number",
			"F414",
			"liberal",
			"",
			testOrder.With(testkit.Fields{"kit": "integration", "siret": ""}),
			"some-number",
			"",
			"",
		},
	} {
		o := d.Order(r.form, r.actor, r.by, r.f)
		if o.State != orders.Refused || o.Code != "order-"+r.code || o.Reason == "" ||
			!strings.Contains(o.Remedy, r.remedy) ||
			!strings.Contains(o.Source, r.source) ||
			len(o.Cards) != 0 {
			t.Errorf("%s: %s %s, %q, remedy %q, source %q", r.name, o.State, o.Code, o.Reason, o.Remedy, o.Source)
		}
	}
	// And the rules let through what keeps them.
	d.Must(d.Order("F201", "etablissement", "", testkit.Fields{"identity": radiographer}), "CPS")
	d.Must(d.Order("F202", "etablissement", "", testkit.Fields{"identity": optician}), "CPS")
	d.Must(
		d.Order(
			"F102",
			"industriel",
			"",
			testkit.HeadOf.With(testkit.Fields{"siret": practice, "facturation": "oui", "numero_facturation": "123"}),
		),
		"CDE",
	)
	d.Must(d.Order("F301", "etablissement", clinic, testkit.StaffOf.With(clinicOf)), "CPE")
	service := d.Must(d.Order("F301", "etablissement", clinic, testkit.Fields{
		"finess":        hospital,
		"service":       "oui",
		"justification": "accès aux locaux",
	}), "CPE")[0]
	if browser, page, _ := s.AtCard(); !strings.Contains(
		testkit.Present(s, browser, page, service.Serial, service.PIN),
		"card-not-nominative",
	) {
		t.Error("a carte de service logs in")
	}
}

var testOrder = testkit.Fields{
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
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	head := d.Must(d.Order("F101", "industriel", "", testkit.HeadOf.With(testkit.Fields{
		"siret": testkit.VendorSIRET,
	})), "CDA")[0]
	agent := d.Must(d.Order("F301", "industriel", head.NationalID, testkit.StaffOf.With(testkit.Fields{
		"siret": testkit.VendorSIRET,
	})), "CPA")[0]
	if !strings.HasPrefix(agent.NationalID, "5"+testkit.VendorSIRET+"/CPAT") {
		t.Errorf("the agent's id: %s", agent.NationalID)
	}
	if got := s.CodeOf("POST", "/orders/services/TOM/enter", `{"card":"`+head.Serial+`"}`); got != "" {
		t.Errorf("the CDA at TOM: %s", got)
	}
	var p testkit.Refusal
	s.API("POST", "/orders/services/TOM/enter", `{"card":"`+agent.Serial+`"}`, &p)
	if p.Code != "service-refused" || !strings.Contains(p.Remedy, "F502") {
		t.Errorf("the CPA at TOM: %+v", p)
	}
	d.Must(
		d.Order(
			"F502",
			"industriel",
			head.NationalID,
			testkit.Fields{"siret": testkit.VendorSIRET, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	if got := s.CodeOf("POST", "/orders/services/TOM/enter", `{"card":"`+agent.Serial+`"}`); got != "" {
		t.Errorf("the mandataire at TOM: %s", got)
	}
	d.Must(
		d.Order(
			"F413",
			"industriel",
			agent.NationalID,
			testkit.Fields{
				"siret":           testkit.VendorSIRET,
				"administrateurs": agent.NationalID,
				"types":           "AUTH_CLI SIGN",
				"perimetre":       "serveurs",
				"cgu":             "oui",
			},
		),
	)
	var known orders.Structure
	if s.API(
		"GET",
		"/orders/structures/"+testkit.VendorSIRET,
		"",
		&known,
	); !slices.Equal(known.Administrators[agent.NationalID].Kinds, []pki.ProfileName{
		pki.ProfileAuthCLI,
		pki.ProfileSign,
	}) ||
		known.Representative != head.NationalID {
		t.Errorf("%+v", known)
	}
	d.Must(
		d.Order(
			"F503",
			"industriel",
			head.NationalID,
			testkit.Fields{"siret": testkit.VendorSIRET, "administrateurs": agent.NationalID, "action": "supprimer"},
		),
	)
	d.Must(
		d.Order(
			"F502",
			"industriel",
			head.NationalID,
			testkit.Fields{"siret": testkit.VendorSIRET, "mandataires": agent.NationalID, "action": "supprimer"},
		),
	)
	known = orders.Structure{}
	if s.API(
		"GET",
		"/orders/structures/"+testkit.VendorSIRET,
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
		other := d.Must(d.Order("F101", "industriel", "", testkit.HeadOf.With(testkit.Fields{"siret": siret})), "CDA")[0]
		d.Must(
			d.Order(
				"F413",
				"industriel",
				other.NationalID,
				testkit.Fields{"siret": siret, "administrateurs": agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
			),
		)
		if got := s.CodeOf(
			"POST",
			"/orders/certificates",
			`{"by":"`+agent.NationalID+`","structure":"`+siret+`","service":"x"}`,
		); got != "" {
			t.Errorf("structure %d with the one card: %s", n+1, got)
		}
	}
	// The head takes the card back when the agent leaves; nobody else can.
	var fleet struct{ Items []testkit.Card }
	if s.API("GET", "/orders/fleet?by="+url.QueryEscape(head.NationalID), "", &fleet); len(fleet.Items) != 2 {
		t.Errorf("the fleet: %+v", fleet)
	}
	if got := s.CodeOf(
		"POST",
		"/orders/fleet/take-back",
		`{"by":"`+agent.NationalID+`","card":"`+head.Serial+`"}`,
	); got != "card-not-managed" {
		t.Errorf("taken back by the agent: %s", got)
	}
	s.API("POST", "/orders/fleet/take-back", `{"by":"`+head.NationalID+`","card":"`+agent.Serial+`"}`, nil)
	if c := d.Card(agent.Serial); c.State != "opposed" {
		t.Errorf("after the departure: %+v", c)
	}
}

// F501: loss and theft oppose at once, a lost code sends a new one, a changed
// address is kept; F504 changes the address, too.
func TestIncidentsOfACardHolder(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	var list struct{ Items []testkit.Card }
	s.API("GET", "/cards?national_id="+testkit.Nurse, "", &list)
	own := list.Items[0]
	logsIn := func(serial, pin string) bool {
		browser, page, _ := s.AtCard()
		return strings.Contains(testkit.Present(s, browser, page, serial, pin), "code=")
	}
	d.Must(d.Order("F501", "etablissement", testkit.Nurse, testkit.Fields{
		"carte":    own.Serial,
		"incident": "perte du code",
	}))
	mail := testkit.Message{}
	if s.API(
		"GET",
		"/outbox/wait?national_id="+testkit.Nurse,
		"",
		&mail,
	); len(mail.Code) != 4 ||
		!logsIn(own.Serial, mail.Code) {
		t.Errorf("the new code: %+v", mail)
	}
	d.Must(d.Order("F504", "etablissement", testkit.Nurse, testkit.Fields{
		"carte":   own.Serial,
		"adresse": "2 rue du Prototype",
	}))
	var kept struct{ Address string }
	if s.API("GET", "/cards/"+own.Serial, "", &kept); kept.Address != "2 rue du Prototype" {
		t.Errorf("the address: %+v", kept)
	}
	if o := d.Order(
		"F501",
		"etablissement",
		testkit.Doctor,
		testkit.Fields{"carte": own.Serial, "incident": "vol"},
	); o.Code != "order-own-card" {
		t.Errorf("another person's card: %+v", o)
	}
	if o := d.Order(
		"F501",
		"etablissement",
		testkit.Nurse,
		testkit.Fields{"carte": own.Serial, "incident": "changement d'adresse"},
	); o.Code != "order-address-given" {
		t.Errorf("no address: %+v", o)
	}
	o := d.Order(
		"F501",
		"etablissement",
		testkit.Nurse,
		testkit.Fields{"carte": own.Serial, "incident": "perte", "remplacement": "oui"},
	)
	replacement := d.Must(o, "CPS")[0]
	if logsIn(own.Serial, mail.Code) || !logsIn(replacement.Serial, replacement.PIN) {
		t.Error("the lost card logs in, or its replacement does not")
	}
}

// The life of an order when production takes its time, on the emulator's clock.
func TestAnOrdersLifeWithDelay(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "order-delay=240h")
	d := testkit.Desk{Server: s}
	o, _ := d.Begin(
		"F101",
		"industriel",
		"",
		orders.Simplified,
		testkit.HeadOf.With(testkit.Fields{"siret": testkit.VendorSIRET, "denomination": ""}),
	)
	if o = d.Step(
		o.ID,
		"submit",
		"",
	); o.State != orders.Incomplete || !slices.Equal(o.Missing, []string{"denomination"}) ||
		o.Channel != orders.Simplified {
		t.Fatalf("%+v", o)
	}
	s.API("PUT", "/orders/"+o.ID, `{"fields":{"denomination":"EDITEUR"}}`, nil)
	if o = d.Step(o.ID, "submit", ""); o.State != orders.Submitted || len(o.Cards) != 0 {
		t.Fatalf("%+v", o)
	}
	if o = d.Step(
		o.ID,
		"validate",
		"",
	); o.State != orders.InProduction || len(o.Cards) != 1 ||
		d.Card(o.Cards[0]).State != "sent" {
		t.Fatalf("%+v", o)
	}
	serial := o.Cards[0]
	browser, page, _ := s.AtCard()
	if got := testkit.Present(s, browser, page, serial, "1234"); !strings.Contains(got, "card-not-delivered") {
		t.Errorf("attack 14, a card on its way: %.300s", got)
	}
	if got := s.CodeOf("POST", "/orders/"+o.ID+"/deliver", ""); got != "order-state" {
		t.Errorf("delivered before it is made: %s", got)
	}
	s.API("PUT", "/clock", `{"offset":"241h"}`, nil)
	var now orders.Order
	if s.API("GET", "/orders/"+o.ID, "", &now); now.State != orders.Sent {
		t.Errorf("after ten days: %s", now.State)
	}
	if o = d.Step(o.ID, "deliver", ""); o.State != orders.Received || d.Card(serial).State != "active" {
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
	o, _ = d.Begin("F101", "industriel", "", "", testkit.HeadOf.With(testkit.Fields{"siret": practice}))
	d.Step(o.ID, "submit", "")
	if got := s.CodeOf("POST", "/orders/"+o.ID+"/reject", `{"reason":""}`); got != "reason-missing" {
		t.Errorf("a refusal without reason: %s", got)
	}
	if o = d.Step(
		o.ID,
		"reject",
		`{"reason":"pièce illisible"}`,
	); o.State != orders.Refused ||
		o.Reason != "pièce illisible" {
		t.Errorf("%+v", o)
	}
	if got := s.CodeOf("POST", "/orders/"+o.ID+"/cancel", ""); got != "order-state" {
		t.Errorf("cancelled when refused: %s", got)
	}
	o, _ = d.Begin("F101", "industriel", "", "", testkit.HeadOf.With(testkit.Fields{"siret": practice}))
	if o = d.Step(o.ID, "cancel", ""); o.State != orders.Cancelled {
		t.Errorf("%+v", o)
	}
}

func TestWrongFieldsAndChannelsAreNamed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct {
		form, actor string
		channel     orders.Channel
		f           testkit.Fields
		code, says  string
	}{
		"SIRET's key": {
			"F101",
			"industriel",
			"",
			testkit.Fields{"siret": "00000001815645"},
			"order-field-wrong",
			"siret",
		},
		"FINESS too short": {
			"F101",
			"industriel",
			"",
			testkit.Fields{"finess": "0B017"},
			"order-field-wrong",
			"finess",
		},
		"a mail address": {"F414", "liberal", "", testkit.Fields{"email": "x"}, "order-field-wrong", "email"},
		"a date": {
			"F414",
			"liberal",
			"",
			testkit.Fields{"date": "24/11/2026"},
			"order-field-wrong",
			"date",
		},
		"a quantity": {
			"F414",
			"liberal",
			"",
			testkit.Fields{"quantite": "1000"},
			"order-field-wrong",
			"quantite",
		},
		"a kit": {"F414", "liberal", "", testkit.Fields{"kit": "x"}, "order-field-wrong", "kit"},
		"a choice": {
			"F501",
			"liberal",
			"",
			testkit.Fields{"incident": "x"},
			"order-field-wrong",
			"incident",
		},
		"a kind of certificate": {
			"F413",
			"industriel",
			"",
			testkit.Fields{"types": "ROOT"},
			"order-field-wrong",
			"types",
		},
		"an unknown field":   {"F101", "industriel", "", testkit.Fields{"couleur": "bleu"}, "order-field-unknown", ""},
		"an unknown form":    {"F999", "industriel", "", nil, "form-unknown", ""},
		"an unknown actor":   {"F101", "nobody", "", nil, "actor-unknown", ""},
		"an unknown channel": {"F101", "industriel", "fax", nil, "channel-unknown", ""},
		"no démarche simplifiée": {
			"F501",
			"industriel",
			orders.Simplified,
			testkit.Fields{"carte": "1"},
			"channel-not-offered",
			"",
		},
		"simplified without SIRET": {
			"F101",
			"industriel",
			orders.Simplified,
			testkit.Fields{"finess": hospital},
			"siret-missing",
			"",
		},
		"simplified, another SIRET": {
			"F101",
			"industriel",
			orders.Simplified,
			testkit.Fields{"siret": "12345678901234"},
			"siret-missing",
			"",
		},
	} {
		body, _ := json.Marshal(map[string]any{"form": c.form, "actor": c.actor, "channel": c.channel, "fields": c.f})
		var p struct{ Code, Reason string }
		if s.API("POST", "/orders", string(body), &p); p.Code != c.code || !strings.Contains(p.Reason, c.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if got := s.CodeOf("POST", "/orders/none/submit", ""); got != "order-unknown" {
		t.Errorf("no such order: %s", got)
	}
}

// « Dès lors qu'un interne en médecine est inscrit au CNOM et a obtenu son
// identifiant RPPS, une carte CPS lui est automatiquement attribuée. »
func TestTheOrderGivesACPSWithoutAsking(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API(
		"POST",
		"/identities",
		`{"national_id":"899700366240","family_name":"INTERNE","given_name":"KIT","exercices":[{"codeProfession":"10",`+
			`"codeCategorieProfessionnelle":"E","activities":[{"codeRole":"FON-48"}]}]}`,
		nil,
	)
	s.API(
		"POST",
		"/identities",
		`{"national_id":"899700237045","family_name":"OPTICIEN","given_name":"KIT","exercices":[{"codeProfession":"28",`+
			`"activities":[]}]}`,
		nil,
	)
	var c testkit.Card
	if s.API(
		"POST",
		"/orders/registrations",
		`{"identity":"899700366240"}`,
		&c,
	); c.Type != "CPS" ||
		c.State != "active" {
		t.Errorf("the intern: %+v", c)
	}
	if got := s.CodeOf("POST", "/orders/registrations", `{"identity":"899700366240"}`); got != "card-there" {
		t.Errorf("twice: %s", got)
	}
	if got := s.CodeOf(
		"POST",
		"/orders/registrations",
		`{"identity":"899700237045"}`,
	); got != "registration-without-order" {
		t.Errorf("an optician: %s", got)
	}
}

// « Pour accéder à TOM il faut une CDE ou CDA ou une carte qui a été déclarée
// mandataire » — a hospital's CPE, then; and TOPS is the libéraux'.
func TestWhoEntersTOPSAndTOM(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	head := d.Must(d.Order("F101", "etablissement", "", testkit.HeadOf.With(testkit.Fields{"finess": hospital})), "CDE")[0]
	agent := d.Must(d.Order("F301", "etablissement", head.NationalID, testkit.StaffOf.With(testkit.Fields{
		"finess": hospital,
	})), "CPE")[0]
	var libéral, salaried struct{ Items []testkit.Card }
	s.API("GET", "/cards?national_id=899790055851", "", &libéral) // the physiotherapist
	s.API("GET", "/cards?national_id="+testkit.Nurse, "", &salaried)
	enter := func(service, card string) string {
		return s.CodeOf("POST", "/orders/services/"+service+"/enter", `{"card":"`+card+`"}`)
	}
	for _, c := range []struct{ service, card, want string }{
		{
			"TOM",
			head.Serial,
			"",
		}, {"TOM", agent.Serial, "service-refused"}, {"TOM", libéral.Items[0].Serial, "service-refused"},
		{
			"TOPS",
			libéral.Items[0].Serial,
			"",
		}, {
			"TOPS",
			salaried.Items[0].Serial,
			"service-refused",
		}, {"TOPS", agent.Serial, "service-refused"}, {"FAX", agent.Serial, "service-unknown"},
	} {
		if got := enter(c.service, c.card); got != c.want {
			t.Errorf("%s: %q, want %q", c.service, got, c.want)
		}
	}
	d.Must(
		d.Order(
			"F502",
			"etablissement",
			head.NationalID,
			testkit.Fields{"finess": hospital, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	if got := enter("TOM", agent.Serial); got != "" {
		t.Errorf("the mandataire: %s", got)
	}
	s.Must("POST", "/cards/"+head.Serial+"/oppose", nil, nil)
	if got := enter("TOM", head.Serial); got != "card-opposed" {
		t.Errorf("an opposed CDE: %s", got)
	}
	// A libéral orders by TOPS, not on paper; somebody salaried does not.
	order := testkit.Fields{
		"siret":         practice,
		"nom":           "SECRETAIRE",
		"prenom":        "TEST",
		"justification": "accueil",
		"contrat":       "oui",
	}
	if _, refused := d.Begin("F301", "liberal", "899790055851", "", order); refused.Code != "form-not-seen" {
		t.Errorf("on paper: %+v", refused)
	}
	o, refused := d.Begin("F301", "liberal", "899790055851", orders.TOPS, order)
	if refused.Code != "" {
		t.Fatal(refused)
	}
	d.Must(d.Step(o.ID, "submit", ""), "CPE")
	o, _ = d.Begin("F301", "liberal", testkit.Nurse, orders.TOPS, order)
	if o = d.Step(o.ID, "submit", ""); o.Code != "order-acts-for" {
		t.Errorf("somebody salaried: %+v", o)
	}
}

// F413 → certificate → client → login with it; revoked, the next token call
// fails with the reason.
func TestAnAdministratorOrdersACertificateThatAClientUses(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	head, agent := d.Vendor()
	s.AddClient("app-vendeur", testkit.CallbackURL)
	order := func(by, more string) (issued struct{ Serial, Certificate, Key, Code string }) {
		s.API(
			"POST",
			"/orders/certificates",
			`{"by":"`+by+`","structure":"`+testkit.VendorSIRET+`","service":"Mon service"`+more+`}`,
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
	if got := s.CodeOf(
		"POST",
		"/orders/certificates",
		`{"by":"`+agent.NationalID+`","structure":"`+testkit.VendorSIRET+`","service":" "}`,
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
		!strings.Contains(leaf.Subject.String(), "OU=3"+testkit.VendorSIRET) {
		t.Errorf("the subject: %s", leaf.Subject)
	}
	token := func() string {
		q := url.Values{
			"response_type": {"code"},
			"client_id":     {"app-vendeur"},
			"redirect_uri":  {testkit.CallbackURL},
			"scope":         {"openid"},
			"login_hint":    {"auto:" + testkit.Doctor},
		}
		resp, err := s.Browser().Get(s.BaseURL + "/auth?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, _ := resp.Location()
		resp, err = s.HTTP(&pair).
			PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"app-vendeur"},
				"code":         {back.Query().Get("code")},
				"redirect_uri": {testkit.CallbackURL},
			})
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
	if got := s.CodeOf("POST", "/certificates/"+issued.Serial+"/bind", `{"client_id":"app-vendeur"}`); got != "" {
		t.Fatal(got)
	}
	if got := token(); !strings.Contains(got, "access_token") {
		t.Errorf("bound: %s", got)
	}
	if got := s.CodeOf(
		"POST",
		"/orders/certificates/"+issued.Serial+"/revoke",
		`{"by":"`+head.NationalID+`"}`,
	); got != "not-administrator" {
		t.Errorf("revoked by the head: %s", got)
	}
	var list struct {
		Items []struct{ Serial, State string }
	}
	if s.API(
		"GET",
		"/orders/certificates?by="+url.QueryEscape(agent.NationalID),
		"",
		&list,
	); len(list.Items) != 1 ||
		list.Items[0].State != "valid" {
		t.Errorf("%+v", list)
	}
	if got := s.CodeOf(
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
	s.Must("POST", "/cards/"+agent.Serial+"/oppose", nil, nil)
	if got := order(agent.NationalID, ""); got.Code != "administrator-without-card" {
		t.Errorf("without a card: %+v", got)
	}
}
