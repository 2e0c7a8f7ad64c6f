package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

// inProcess is an emulator on a data file within the test, so that the race
// detector looks at it.
type inProcess struct {
	emulator.Ready
	t      *testing.T
	client *http.Client
}

func startInProcess(t *testing.T, settings map[string]string) *inProcess {
	t.Helper()
	all := map[string]string{
		"data":           t.TempDir(),
		"listen":         "127.0.0.1:0",
		"card-listen":    "127.0.0.1:0",
		"console-listen": "127.0.0.1:0",
	}
	for name, value := range settings {
		all[name] = value
	}
	loaded, err := config.Load(all, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := emulator.Start(context.Background(), emulator.Options{Settings: loaded, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return &inProcess{s.Ready(), t, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: together}}}
}

// call is a call of the control API: its status and its answer.
func (p *inProcess) call(method, path string, body any) (int, []byte) {
	p.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(method, p.APIURL+path, bytes.NewReader(raw))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Error(err)
	}
	return resp.StatusCode, answer
}

// must is a call that succeeds.
func (p *inProcess) must(method, path string, body, into any) {
	p.t.Helper()
	status, answer := p.call(method, path, body)
	if status >= 300 {
		p.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			p.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// together is how many call at once; ROUNDS says how often each command is
// tried.
const together = 50

func rounds(t *testing.T) int {
	t.Helper()
	if v := os.Getenv("ROUNDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
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
func (p *inProcess) atOnce(call func(n int) (method, path string, body any)) outcome {
	start, out := make(chan struct{}), outcome{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for n := range together {
		work.Go(func() {
			method, path, body := call(n)
			<-start
			status, answer := p.call(method, path, body)
			if status >= 500 || status == 0 {
				p.t.Errorf("%s %s: %d %s", method, path, status, answer)
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
	prepare func(p *inProcess, round int) (call func(n int) (string, string, any), judge func(outcome) string)
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
	{"validate an order", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.submitted(round)
		return always("POST", "/orders/"+id+"/validate", nil), p.oneCard(id, 1)
	}},
	{"submit an order", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.drafted(round)
		return always("POST", "/orders/"+id+"/submit", nil), p.oneCard(id, 0)
	}},
	{"deliver an order", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.submitted(round)
		p.must("POST", "/orders/"+id+"/validate", nil, nil)
		p.must("PUT", "/clock", map[string]string{"advance": "241h"}, nil)
		return always("POST", "/orders/"+id+"/deliver", nil), p.oneCard(id, 1)
	}},
	{
		"validate and cancel an order",
		func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
			id := p.submitted(round)
			return func(n int) (string, string, any) {
				return "POST", "/orders/" + id + "/" + []string{"validate", "cancel"}[n%2], nil
			}, exactly(1)
		},
	},
	{
		"order staff cards of one structure",
		func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
			siret := p.structure(round)
			ids := make([]string, together)
			for n := range ids {
				ids[n] = p.draft(
					"F301",
					"etablissement",
					p.head(siret),
					map[string]string{
						"siret":         siret,
						"nom":           "AGENT",
						"prenom":        "N" + strconv.Itoa(n),
						"justification": "accès",
						"contrat":       "oui",
					},
				)
				p.must("POST", "/orders/"+ids[n]+"/submit", nil, nil)
			}
			var before orders.Structure
			p.must("GET", "/orders/structures/"+siret, nil, &before)
			return func(n int) (string, string, any) { return "POST", "/orders/" + ids[n] + "/validate", nil },
				func(o outcome) string {
					var after orders.Structure
					p.must("GET", "/orders/structures/"+siret, nil, &after)
					if grown := len(after.Cards) - len(before.Cards); o.good() != together || grown != together {
						return fmt.Sprintf("%d orders, the fleet grew by %d (%v)", o.good(), grown, o)
					}
					return ""
				}
		},
	},
	{"take a card back", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		siret := p.structure(round)
		id := p.draft(
			"F301",
			"etablissement",
			p.head(siret),
			map[string]string{
				"siret":         siret,
				"nom":           "AGENT",
				"prenom":        "P",
				"justification": "accès",
				"contrat":       "oui",
			},
		)
		o := p.accepted(id)
		return always("POST", "/orders/fleet/take-back", map[string]string{"by": p.head(siret), "card": o.Cards[0]}),
			func(o2 outcome) string {
				var c cards.Card
				p.must("GET", "/cards/"+o.Cards[0], nil, &c)
				if c.State != cards.Opposed || o2.good() == 0 {
					return fmt.Sprintf("the card is %s (%v)", c.State, o2)
				}
				return ""
			}
	}},
	{"register at the order", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.person("10")
		return always("POST", "/orders/registrations", map[string]string{"identity": id}), p.holds(id, 1, 1)
	}},
	{"issue a card", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.person("10")
		return always(
				"POST",
				"/cards",
				map[string]string{"national_id": id, "type": "CPS"},
			), p.holds(
				id,
				together,
				together,
			)
	}},
	{"renew a card", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.person("10")
		serial := p.issue(id)
		return always("POST", "/cards/"+serial+"/renew", nil), p.holds(id, 1, 2)
	}},
	{"unblock a card", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := p.blocked()
		return always("POST", "/cards/"+serial+"/unblock", nil), exactly(1)
	}},
	{"guess a code porteur", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := p.issue(p.person("10"))
		return always(
				"POST",
				"/cards/"+serial+"/sign",
				map[string]string{"pin": "0000", "text": "x"},
			), func(o outcome) string {
				var c cards.Card
				p.must("GET", "/cards/"+serial, nil, &c)
				if c.State != cards.Blocked || c.WrongPINs != cards.MaxWrongPINs || o.good() > 0 {
					return fmt.Sprintf("%s after %d wrong codes (%v)", c.State, c.WrongPINs, o)
				}
				return ""
			}
	}},
	{"oppose a card", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		serial := p.issue(p.person("10"))
		p.call("GET", "/cards/"+serial+"/certificate", nil)
		return always(
				"POST",
				"/cards/"+serial+"/oppose",
				map[string]string{"reason": "perte"},
			), func(o outcome) string {
				var c cards.Card
				var cert pki.Certificate
				p.must("GET", "/cards/"+serial, nil, &c)
				p.must("GET", "/certificates/"+c.Certificate, nil, &cert)
				if c.State != cards.Opposed || cert.State != pki.Revoked {
					return fmt.Sprintf("the card is %s, its certificate %s", c.State, cert.State)
				}
				return ""
			}
	}},
	{
		"make a card's certificate",
		func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
			serial := p.issue(p.person("10"))
			return always("GET", "/cards/"+serial+"/certificate", nil), func(o outcome) string {
				var list struct{ Items []pki.Certificate }
				p.must("GET", "/certificates?card="+serial, nil, &list)
				if o.good() != together || len(list.Items) != 1 {
					return fmt.Sprintf("%d certificates (%v)", len(list.Items), o)
				}
				return ""
			}
		},
	},
	{"activate an e-CPS", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.person("10")
		return always("POST", "/identities/"+id+"/ecps", map[string]string{"code": "1234"}), exactly(together)
	}},
	{"create a person", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := fmt.Sprintf("ANS2026%010d", round)
		return always(
				"POST",
				"/identities",
				map[string]any{"national_id": id, "family_name": "PARALLELE", "given_name": "Ada"},
			), exactly(
				1,
			)
	}},
	{"delete a person", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		return always("DELETE", "/identities/"+p.person("10"), nil), exactly(1)
	}},
	{"bring a person back", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		id := p.person("10")
		p.must("DELETE", "/identities/"+id, nil, nil)
		return always("POST", "/identities/"+id+"/restore", nil), exactly(1)
	}},
	{"revoke a certificate", func(p *inProcess, round int) (func(int) (string, string, any), func(outcome) string) {
		var made struct{ Serial string }
		p.must("POST", "/certificates", map[string]string{"client_id": "demo", "key": "ecdsa"}, &made)
		return always("POST", "/certificates/"+made.Serial+"/revoke", nil), func(outcome) string {
			var cert pki.Certificate
			p.must("GET", "/certificates/"+made.Serial, nil, &cert)
			if cert.State != pki.Revoked {
				return "it is " + string(cert.State)
			}
			return ""
		}
	}},
}

func TestAttack43TheSameCommandFiftyTimesAtOnceHasOneEffect(t *testing.T) {
	p := startInProcess(t, map[string]string{"order-delay": "240h"})
	for _, row := range parallels {
		t.Run(row.name, func(t *testing.T) {
			for round := range rounds(t) {
				call, judge := row.prepare(p, round)
				if wrong := judge(p.atOnce(call)); wrong != "" {
					t.Fatalf("round %d: %s", round, wrong)
				}
			}
		})
	}
	p.wholeStore()
}

// Makers of what a round needs.

func (p *inProcess) draft(form, actor, by string, fields map[string]string) string {
	p.t.Helper()
	var o orders.Order
	p.must("POST", "/orders", map[string]any{"form": form, "actor": actor, "by": by, "fields": fields}, &o)
	return o.ID
}

// siret is a test structure's number.
func siret(n int) string {
	inner := fmt.Sprintf("001%05d", n)
	siren := inner + nomenclature.LuhnKey(inner)
	return siren + "0001" + nomenclature.LuhnKey(siren+"0001")
}

func (p *inProcess) headOf(n int) map[string]string {
	return map[string]string{
		"siret":        siret(n),
		"nom":          "DIRECTEUR",
		"prenom":       "N" + strconv.Itoa(n),
		"denomination": "CABINET FICTIF",
		"contrat":      "oui",
	}
}

var structureNo int

func (p *inProcess) drafted(int) string {
	structureNo++
	return p.draft("F101", "etablissement", "", p.headOf(structureNo))
}

func (p *inProcess) submitted(round int) string {
	p.t.Helper()
	id := p.drafted(round)
	p.must("POST", "/orders/"+id+"/submit", nil, nil)
	return id
}

// accepted submits a draft and takes it to its end.
func (p *inProcess) accepted(id string) (o orders.Order) {
	p.t.Helper()
	p.must("POST", "/orders/"+id+"/submit", nil, nil)
	p.must("POST", "/orders/"+id+"/validate", nil, nil)
	p.must("PUT", "/clock", map[string]string{"advance": "241h"}, nil)
	p.must("POST", "/orders/"+id+"/deliver", nil, &o)
	return o
}

// structure is one with a representative who has a card.
func (p *inProcess) structure(round int) string {
	p.t.Helper()
	p.accepted(p.drafted(round))
	return siret(structureNo)
}

func (p *inProcess) head(siret string) string {
	p.t.Helper()
	var s orders.Structure
	p.must("GET", "/orders/structures/"+siret, nil, &s)
	return s.Representative
}

var personNo int

// person is somebody new without means.
func (p *inProcess) person(profession string) string {
	p.t.Helper()
	personNo++
	var made struct {
		Items []struct {
			NationalID string `json:"national_id"`
		}
	}
	p.must(
		"POST",
		"/identities/generate",
		map[string]any{"count": 1, "seed": 43, "from": personNo, "profession": profession, "means": []string{}},
		&made,
	)
	return made.Items[0].NationalID
}

func (p *inProcess) issue(id string) string {
	p.t.Helper()
	var c cards.Card
	p.must("POST", "/cards", map[string]string{"national_id": id, "type": "CPS"}, &c)
	return c.Serial
}

func (p *inProcess) blocked() string {
	p.t.Helper()
	serial := p.issue(p.person("10"))
	for range cards.MaxWrongPINs {
		p.call("POST", "/cards/"+serial+"/sign", map[string]string{"pin": "0000", "text": "x"})
	}
	return serial
}

// oneCard wants one success, and so many cards in the order.
func (p *inProcess) oneCard(id string, want int) func(outcome) string {
	return func(out outcome) string {
		var o orders.Order
		p.must("GET", "/orders/"+id, nil, &o)
		if out.good() != 1 || len(o.Cards) != want {
			return fmt.Sprintf("%d were accepted, the order holds %d cards (%v)", out.good(), len(o.Cards), out)
		}
		return ""
	}
}

// holds wants so many successes, and so many cards of the person.
func (p *inProcess) holds(id string, done, want int) func(outcome) string {
	return func(o outcome) string {
		var list struct{ Items []cards.Card }
		p.must("GET", "/cards?limit=1000&national_id="+id, nil, &list)
		if o.good() != done || len(list.Items) != want {
			return fmt.Sprintf("%d were done, the person holds %d cards (%v)", o.good(), len(list.Items), o)
		}
		return ""
	}
}

// wholeStore looks at everything that is kept.
func (p *inProcess) wholeStore() {
	p.t.Helper()
	status, raw := p.call("GET", "/state", nil)
	if status != http.StatusOK {
		p.t.Fatalf("GET /state: %d %s", status, raw)
	}
	checkWholeStore(p.t, raw)
}
