package emulator_test

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/testkit"
)

func rounds(t *testing.T) int {
	t.Helper()
	if v := os.Getenv("ROUNDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 4
	}
	return 20
}

// outcome counts the answers to one command that was given many times at once.
type outcome map[int]int

func (o outcome) good() (n int) {
	for status, times := range o {
		if status < 300 {
			n += times
		}
	}
	return n
}

// atOnce calls fifty times at once.
func atOnce(p *testkit.Server, call func(n int) (method, path string, body any)) outcome {
	start, out := make(chan struct{}), outcome{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for n := range testkit.Together {
		work.Go(func() {
			method, path, body := call(n)
			<-start
			status, answer := p.Call(method, path, body)
			if status >= 500 || status == 0 {
				p.T.Errorf("%s %s: %d %s", method, path, status, answer)
			}
			mu.Lock()
			defer mu.Unlock()
			out[status]++
		})
	}
	close(start)
	work.Wait()
	return out
}

// parallel is a command that is given fifty times at once.
type parallel struct {
	name string
	// prepare makes what one round needs, and returns the call and what must be
	// true afterwards ("" when it is).
	prepare func(p *testkit.Server, round int) (call func(n int) (string, string, any), judge func(outcome) string)
}

// always is the same call whoever makes it.
func always(method, path string, body any) func(int) (string, string, any) {
	return func(int) (string, string, any) { return method, path, body }
}

func exactly(want int) func(outcome) string {
	return func(o outcome) string {
		if o.good() != want {
			return fmt.Sprintf("%d were done, want %d (%v)", o.good(), want, o)
		}
		return ""
	}
}

var parallels = []parallel{
	{"validate an order", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := submitted(p, round)
		return always("POST", "/orders/"+id+"/validate", nil), oneCard(p, id, 1)
	}},
	{"submit an order", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := drafted(p, round)
		return always("POST", "/orders/"+id+"/submit", nil), oneCard(p, id, 0)
	}},
	{"deliver an order", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := submitted(p, round)
		p.Must("POST", "/orders/"+id+"/validate", nil, nil)
		p.Must("PUT", "/clock", map[string]string{"advance": "241h"}, nil)
		return always("POST", "/orders/"+id+"/deliver", nil), oneCard(p, id, 1)
	}},
	{
		"validate and cancel an order",
		func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
			id := submitted(p, round)
			return func(n int) (string, string, any) {
				return "POST", "/orders/" + id + "/" + []string{"validate", "cancel"}[n%2], nil
			}, exactly(1)
		},
	},
	{
		"order staff cards of one structure",
		func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
			siret := structure(p, round)
			ids := make([]string, testkit.Together)
			for n := range ids {
				ids[n] = draft(p,
					"F301",
					"etablissement",
					head(p, siret),
					map[string]string{
						"siret":         siret,
						"nom":           "AGENT",
						"prenom":        "N" + strconv.Itoa(n),
						"justification": "accès",
						"contrat":       "oui",
					},
				)
				p.Must("POST", "/orders/"+ids[n]+"/submit", nil, nil)
			}
			var before orders.Structure
			p.Must("GET", "/orders/structures/"+siret, nil, &before)
			return func(n int) (string, string, any) { return "POST", "/orders/" + ids[n] + "/validate", nil },
				func(o outcome) string {
					var after orders.Structure
					p.Must("GET", "/orders/structures/"+siret, nil, &after)
					if grown := len(after.Cards) - len(before.Cards); o.good() != testkit.Together || grown != testkit.Together {
						return fmt.Sprintf("%d orders, the fleet grew by %d (%v)", o.good(), grown, o)
					}
					return ""
				}
		},
	},
	{"take a card back", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		siret := structure(p, round)
		id := draft(p,
			"F301",
			"etablissement",
			head(p, siret),
			map[string]string{
				"siret":         siret,
				"nom":           "AGENT",
				"prenom":        "P",
				"justification": "accès",
				"contrat":       "oui",
			},
		)
		o := accepted(p, id)
		return always("POST", "/orders/fleet/take-back", map[string]string{"by": head(p, siret), "card": o.Cards[0]}),
			func(o2 outcome) string {
				var c cards.Card
				p.Must("GET", "/cards/"+o.Cards[0], nil, &c)
				if c.State != cards.Opposed || o2.good() == 0 {
					return fmt.Sprintf("the card is %s (%v)", c.State, o2)
				}
				return ""
			}
	}},
	{"register at the order", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := person(p, "10")
		return always("POST", "/orders/registrations", map[string]string{"identity": id}), holds(p, id, 1, 1)
	}},
	{"issue a card", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := person(p, "10")
		return always(
				"POST",
				"/cards",
				map[string]string{"national_id": id, "type": "CPS"},
			), holds(p,
				id,
				testkit.Together,
				testkit.Together,
			)
	}},
	{"renew a card", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := person(p, "10")
		serial := issue(p, id)
		return always("POST", "/cards/"+serial+"/renew", nil), holds(p, id, 1, 2)
	}},
	{"unblock a card", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := blocked(p)
		return always("POST", "/cards/"+serial+"/unblock", nil), exactly(1)
	}},
	{"guess a code porteur", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := issue(p, person(p, "10"))
		return always(
				"POST",
				"/cards/"+serial+"/sign",
				map[string]string{"pin": "0000", "text": "x"},
			), func(o outcome) string {
				var c cards.Card
				p.Must("GET", "/cards/"+serial, nil, &c)
				if c.State != cards.Blocked || c.WrongPINs != cards.MaxWrongPINs || o.good() > 0 {
					return fmt.Sprintf("%s after %d wrong codes (%v)", c.State, c.WrongPINs, o)
				}
				return ""
			}
	}},
	{"oppose a card", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := issue(p, person(p, "10"))
		p.Call("GET", "/cards/"+serial+"/certificate", nil)
		return always(
				"POST",
				"/cards/"+serial+"/oppose",
				map[string]string{"reason": "perte"},
			), func(o outcome) string {
				var c cards.Card
				var cert pki.Certificate
				p.Must("GET", "/cards/"+serial, nil, &c)
				p.Must("GET", "/certificates/"+c.Certificate, nil, &cert)
				if c.State != cards.Opposed || cert.State != pki.Revoked {
					return fmt.Sprintf("the card is %s, its certificate %s", c.State, cert.State)
				}
				return ""
			}
	}},
	{
		"make a card's certificate",
		func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
			serial := issue(p, person(p, "10"))
			return always("GET", "/cards/"+serial+"/certificate", nil), func(o outcome) string {
				var list struct{ Items []pki.Certificate }
				p.Must("GET", "/certificates?card="+serial, nil, &list)
				if o.good() != testkit.Together || len(list.Items) != 1 {
					return fmt.Sprintf("%d certificates (%v)", len(list.Items), o)
				}
				return ""
			}
		},
	},
	{"activate an e-CPS", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := person(p, "10")
		return always("POST", "/identities/"+id+"/ecps", map[string]string{"code": "1234"}), exactly(testkit.Together)
	}},
	{"create a person", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := fmt.Sprintf("ANS2026%010d", round)
		return always(
				"POST",
				"/identities",
				map[string]any{"national_id": id, "family_name": "PARALLELE", "given_name": "Ada"},
			), exactly(
				1,
			)
	}},
	{"delete a person", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		return always("DELETE", "/identities/"+person(p, "10"), nil), exactly(1)
	}},
	{"bring a person back", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		id := person(p, "10")
		p.Must("DELETE", "/identities/"+id, nil, nil)
		return always("POST", "/identities/"+id+"/restore", nil), exactly(1)
	}},
	{"revoke a certificate", func(p *testkit.Server, round int) (func(int) (string, string, any), func(outcome) string) {
		var made struct{ Serial string }
		p.Must("POST", "/certificates", map[string]string{"client_id": "demo", "key": "ecdsa"}, &made)
		return always("POST", "/certificates/"+made.Serial+"/revoke", nil), func(outcome) string {
			var cert pki.Certificate
			p.Must("GET", "/certificates/"+made.Serial, nil, &cert)
			if cert.State != pki.Revoked {
				return "it is " + string(cert.State)
			}
			return ""
		}
	}},
}

func TestAttack43TheSameCommandFiftyTimesAtOnceHasOneEffect(t *testing.T) {
	t.Parallel()
	p := testkit.StartIn(t, t.TempDir(), "order-delay=240h")
	for _, row := range parallels {
		t.Run(row.name, func(t *testing.T) {
			for round := range rounds(t) {
				call, judge := row.prepare(p, round)
				if wrong := judge(atOnce(p, call)); wrong != "" {
					t.Fatalf("round %d: %s", round, wrong)
				}
			}
		})
	}
	p.WholeStore()
}

// Makers of what a round needs.

func draft(p *testkit.Server, form, actor, by string, fields map[string]string) string {
	p.T.Helper()
	var o orders.Order
	p.Must("POST", "/orders", map[string]any{"form": form, "actor": actor, "by": by, "fields": fields}, &o)
	return o.ID
}

func headOf(p *testkit.Server, n int) map[string]string {
	return map[string]string{
		"siret":        testkit.SIRET(n),
		"nom":          "DIRECTEUR",
		"prenom":       "N" + strconv.Itoa(n),
		"denomination": "CABINET FICTIF",
		"contrat":      "oui",
	}
}

var structureNo int

func drafted(p *testkit.Server, _ int) string {
	structureNo++
	return draft(p, "F101", "etablissement", "", headOf(p, structureNo))
}

func submitted(p *testkit.Server, round int) string {
	p.T.Helper()
	id := drafted(p, round)
	p.Must("POST", "/orders/"+id+"/submit", nil, nil)
	return id
}

// accepted submits a draft and takes it to its end.
func accepted(p *testkit.Server, id string) (o orders.Order) {
	p.T.Helper()
	p.Must("POST", "/orders/"+id+"/submit", nil, nil)
	p.Must("POST", "/orders/"+id+"/validate", nil, nil)
	p.Must("PUT", "/clock", map[string]string{"advance": "241h"}, nil)
	p.Must("POST", "/orders/"+id+"/deliver", nil, &o)
	return o
}

// structure is one with a representative who has a card.
func structure(p *testkit.Server, round int) string {
	p.T.Helper()
	accepted(p, drafted(p, round))
	return testkit.SIRET(structureNo)
}

func head(p *testkit.Server, siret string) string {
	p.T.Helper()
	var s orders.Structure
	p.Must("GET", "/orders/structures/"+siret, nil, &s)
	return s.Representative
}

var personNo int

// person is somebody new without means.
func person(p *testkit.Server, profession string) string {
	p.T.Helper()
	personNo++
	var made struct {
		Items []struct {
			NationalID string `json:"national_id"`
		}
	}
	p.Must(
		"POST",
		"/identities/generate",
		map[string]any{"count": 1, "seed": 43, "from": personNo, "profession": profession, "means": []string{}},
		&made,
	)
	return made.Items[0].NationalID
}

func issue(p *testkit.Server, id string) string {
	p.T.Helper()
	var c cards.Card
	p.Must("POST", "/cards", map[string]string{"national_id": id, "type": "CPS"}, &c)
	return c.Serial
}

func blocked(p *testkit.Server) string {
	p.T.Helper()
	serial := issue(p, person(p, "10"))
	for range cards.MaxWrongPINs {
		p.Call("POST", "/cards/"+serial+"/sign", map[string]string{"pin": "0000", "text": "x"})
	}
	return serial
}

// oneCard wants one success, and so many cards in the order.
func oneCard(p *testkit.Server, id string, want int) func(outcome) string {
	return func(out outcome) string {
		var o orders.Order
		p.Must("GET", "/orders/"+id, nil, &o)
		if out.good() != 1 || len(o.Cards) != want {
			return fmt.Sprintf("%d were accepted, the order holds %d cards (%v)", out.good(), len(o.Cards), out)
		}
		return ""
	}
}

// holds wants so many successes, and so many cards of the person.
func holds(p *testkit.Server, id string, done, want int) func(outcome) string {
	return func(o outcome) string {
		var list struct{ Items []cards.Card }
		p.Must("GET", "/cards?limit=1000&national_id="+id, nil, &list)
		if o.good() != done || len(list.Items) != want {
			return fmt.Sprintf("%d were done, the person holds %d cards (%v)", o.good(), len(list.Items), o)
		}
		return ""
	}
}
