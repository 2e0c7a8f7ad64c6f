package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/testkit"
)

// world is an emulator to which examples are sent.
type world struct {
	*testkit.Server
	doc validator
	ops map[string]map[string]any // by operationId
}

// Every example of the document is sent: the answer has a status that the
// document names, and a body as its schema says.
func TestEachExampleIsAnsweredAsTheDocumentSays(t *testing.T) {
	w := newWorld(t)
	for _, o := range (&api.API{}).Operations() {
		t.Run(o.ID, func(t *testing.T) {
			w.T = t
			if status := w.API("DELETE", "/state", "", nil); status != 204 {
				t.Fatal("the reset:", status)
			}
			examples := api.SentBy(o)
			if len(examples) == 0 {
				if strings.Contains(o.Path, ":") || len(api.BodyOf(o)) > 0 {
					t.Fatal("it takes something, and no example says what")
				}
				examples = []api.Example{{}}
			}
			for _, e := range examples {
				w.send(o, e, w.prepared(o.ID))
			}
		})
	}
}

func newWorld(t *testing.T) *world {
	s := testkit.Start(t)
	var doc struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(testkit.Fetched(t, s.Ready, "/openapi.json"), &doc); err != nil {
		t.Fatal(err)
	}
	w := &world{Server: s, doc: validator{doc.Components.Schemas}, ops: map[string]map[string]any{}}
	for _, methods := range doc.Paths {
		for _, o := range methods {
			w.ops[o["operationId"].(string)] = o
		}
	}
	return w
}

// send sends an example, with what is there in the place of what it names.
func (w *world) send(o api.Operation, e api.Example, there map[string]string) {
	w.T.Helper()
	put := func(text string) string {
		for name, real := range there {
			text = strings.ReplaceAll(text, name, real)
		}
		return text
	}
	path := o.Path
	for name, value := range e.Path {
		path = strings.Replace(path, ":"+name, url.PathEscape(put(value)), 1)
	}
	q := url.Values{}
	for name, value := range e.Query {
		q.Set(name, put(value))
	}
	var body io.Reader
	kind := e.Kind
	if e.Body != nil {
		text, isText := e.Body.(string)
		if !isText {
			raw, err := json.Marshal(e.Body)
			if err != nil {
				w.T.Fatal(err)
			}
			text, kind = string(raw), "application/json"
		}
		body = strings.NewReader(put(text))
	}
	r, err := http.NewRequest(o.Method, w.APIURL+path+"?"+q.Encode(), body)
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.APIToken)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w.judge(o, r)
}

func (w *world) judge(o api.Operation, r *http.Request) {
	w.T.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	var body []byte
	if kind == "text/event-stream" {
		line := make([]byte, 1<<16)
		n, _ := resp.Body.Read(line)
		body, kind = bytes.TrimSpace(bytes.TrimPrefix(line[:n], []byte("data: "))), "text/event-stream"
	} else if body, err = io.ReadAll(resp.Body); err != nil {
		w.T.Fatal(err)
	}
	answers := w.ops[o.ID]["responses"].(map[string]any)
	answer, documented := answers[fmt.Sprint(resp.StatusCode)].(map[string]any)
	if !documented {
		w.T.Fatalf("%s %s: %d %.400s", r.Method, r.URL, resp.StatusCode, body)
	}
	contents, _ := answer["content"].(map[string]any)
	content, named := contents[kind].(map[string]any)
	if !named {
		content, named = contents["*/*"].(map[string]any)
	}
	if !named && (len(body) > 0 || len(contents) > 0) {
		w.T.Fatalf("%s %s: answers with %s: %.200s", r.Method, r.URL, kind, body)
	}
	if named && (strings.HasSuffix(kind, "json") || kind == "text/event-stream") {
		if wrong := w.doc.judge(content["schema"].(map[string]any), decoded(w.T, body), ""); len(wrong) > 0 {
			w.T.Errorf("%s %s: %s\n%.400s", r.Method, r.URL, strings.Join(wrong, "\n"), body)
		}
	}
}

func decoded(t testing.TB, raw []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %.200s", err, raw)
	}
	return v
}

// The names that the examples give to what the emulator chooses.
const (
	aRequest     = "F3Q7XK2MVB5TJ4ZC"
	aReading     = "H6R2NA5WLC3KQ7YD"
	aCard        = "8025000000100001"
	aCertificate = "4f2a9c61d7e8b350"
	anOrder      = "ORDER-1"
	aLogin       = "L5T3PDZ6QW2A"
	aMessage     = "M7Y4KB2XNE6S"
	aJob         = "J2C5RV7ODT3G"
	aKey         = "k-2030-01"
	aStructure   = "99999999900001"
	aQR          = "pscemu-qr-example"
	anSMS        = "123456"
	persona      = "899790011177"
	newcomer     = "899790019999"
)

// prepared makes what an example needs, and tells what to put in its places.
func (w *world) prepared(operation string) map[string]string {
	w.T.Helper()
	there := map[string]string{
		aCard:                    w.firstOf("/cards?national_id=" + persona)["serial"].(string),
		aCertificate:             w.firstOf("/certificates?client_id=demo")["serial"].(string),
		"https://localhost:9443": w.BaseURL,
	}
	for _, p := range preparations {
		if slices.Contains(strings.Fields(p.operations), operation) {
			p.make(w, there)
		}
	}
	return there
}

// preparations are what operations need.
var preparations = []struct {
	operations string
	make       func(w *world, there map[string]string)
}{
	{"restoreIdentity", func(w *world, _ map[string]string) { w.Must("DELETE", "/identities/"+persona, nil, nil) }},
	{"getPhoneRequest approvePhoneRequest refusePhoneRequest", func(w *world, there map[string]string) {
		w.Must("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", map[string]string{"action": "ask"}, nil)
		w.Backchannel(nil)
		there[aRequest] = w.Waiting("/ecps/requests")[0].ID
	}},
	{"presentCard refuseReaderRequest", func(w *world, there map[string]string) {
		w.Backchannel(url.Values{"channel": {"CARD"}})
		there[aReading] = w.Waiting("/reader/requests")[0].ID
		there[aCard] = w.firstOf("/cards?national_id=" + testkit.Asked)["serial"].(string)
	}},
	{"completeActivation", func(w *world, there map[string]string) {
		var begun api.ActivationBegun
		w.Must("POST", "/identities/"+persona+"/ecps", map[string]string{"by": "contact"}, &begun)
		there[aQR] = begun.QR
		there[anSMS] = w.firstOf("/outbox?channel=sms&national_id=" + persona)["code"].(string)
	}},
	{"getMessage waitForMessage", func(w *world, there map[string]string) {
		w.Must("POST", "/identities/"+persona+"/ecps", map[string]string{"by": "contact"}, nil)
		there[aMessage] = w.firstOf("/outbox")["id"].(string)
	}},
	{"unblockCard", func(w *world, there map[string]string) {
		for range 3 {
			w.Call("POST", "/cards/"+there[aCard]+"/sign", map[string]string{"pin": "0000", "text": "x"})
		}
	}},
	{"verifySignature", func(w *world, there map[string]string) {
		var signed struct{ Signature, Certificate []byte }
		w.Must("POST", "/cards/"+there[aCard]+"/sign", map[string]string{"pin": "1234", "text": "Bonjour"}, &signed)
		code := base64.StdEncoding.EncodeToString
		there[code(
			[]byte("signature"),
		)], there[code([]byte("certificate"))] = code(signed.Signature), code(signed.Certificate)
	}},
	{"getOrder completeOrder submitOrder cancelOrder", func(w *world, there map[string]string) {
		there[anOrder] = w.order().ID
	}},
	{"validateOrder rejectOrder deliverOrder", func(w *world, there map[string]string) {
		w.API("PATCH", "/settings", `{"order-delay":"240h"}`, nil)
		there[anOrder] = w.order().ID
		w.Must("POST", "/orders/"+there[anOrder]+"/submit", nil, nil)
	}},
	{"deliverOrder", func(w *world, there map[string]string) {
		w.Must("POST", "/orders/"+there[anOrder]+"/validate", nil, nil)
		w.Must("PUT", "/clock", map[string]string{"offset": "241h"}, nil)
	}},
	{"takeCardBack getStructure orderCertificate revokeOrderedCertificate enterOnlineService",
		func(w *world, there map[string]string) {
			head, agent := testkit.Desk{Server: w.Server}.Vendor()
			there[aStructure] = testkit.VendorSIRET
			there[persona], there[aCard] = agent.NationalID, agent.Serial
			if operation := strings.HasSuffix(w.T.Name(), "takeCardBack"); operation {
				there[persona] = head.NationalID
			}
			if strings.HasSuffix(w.T.Name(), "enterOnlineService") {
				there[aCard] = head.Serial
			}
			if strings.HasSuffix(w.T.Name(), "revokeOrderedCertificate") {
				var made api.Issued
				w.Must("POST", "/orders/certificates", map[string]string{"by": agent.NationalID,
					"structure": testkit.VendorSIRET, "service": "demo"}, &made)
				there[aCertificate] = made.Serial
			}
		}},
	{"registerAtOrder", func(w *world, there map[string]string) {
		var made struct{ Items []api.Person }
		w.Must("POST", "/identities/generate", map[string]any{"count": 1, "profession": "10", "means": []string{}}, &made)
		there[newcomer] = made.Items[0].NationalID
	}},
	{"patchClient deleteClient", func(w *world, _ map[string]string) {
		w.Must("POST", "/clients", map[string]any{
			"client_id":     "agenda",
			"redirect_uris": []string{"https://agenda.example/cb"},
		}, nil)
	}},
	{"getLogin getLoginHAR verifyLogin waitForLogin", func(w *world, there map[string]string) {
		authorize := w.BaseURL + "/auth?" + url.Values{"response_type": {
			"code",
		}, "client_id": {"demo"}, "state": {"12345678"},
			"redirect_uri": {"http://localhost:3000/callback"}, "scope": {"openid scope_all"}, "acr_values": {"eidas1"},
			"nonce": {"12345678"}, "login_hint": {"auto:" + persona}}.Encode()
		resp, err := w.HTTP(nil).Get(authorize)
		if err != nil {
			w.T.Fatal(err)
		}
		resp.Body.Close()
		there[aLogin] = w.firstOf("/logins?client=demo")["id"].(string)
	}},
	{"getJob cancelJob", func(w *world, there map[string]string) {
		var begun api.JobView
		w.Must("POST", "/scenarios?async=true", map[string]string{"name": "nothing"}, &begun)
		there[aJob] = begun.ID
	}},
	{"useKey retireKey", func(w *world, there map[string]string) {
		for _, k := range w.list("/keys") {
			if k["state"] != "active" {
				there[aKey] = k["kid"].(string)
				return
			}
		}
		var key struct{ KID string }
		w.Must("POST", "/keys", nil, &key)
		there[aKey] = key.KID
	}},
	{"getSpace dropSpace", func(w *world, _ map[string]string) { w.API("POST", "/spaces", `{"name":"suite-1"}`, nil) }},
	{"createSpace", func(w *world, _ map[string]string) { w.API("DELETE", "/spaces/suite-1", "", nil) }},
	{"putState", func(w *world, there map[string]string) {
		there[`{"format":"pscemu-state"}`] = string(testkit.Fetched(w.T, w.Ready, "/state"))
	}},
	{"putBackup", func(w *world, there map[string]string) {
		there["pscemu-backup"] = string(testkit.Fetched(w.T, w.Ready, "/backup"))
	}},
}

// order begins one that an example moves on.
func (w *world) order() (o struct{ ID string }) {
	w.T.Helper()
	w.Must("POST", "/orders", map[string]any{"form": "F101", "actor": "industriel",
		"fields": testkit.HeadOf.With(testkit.Fields{"siret": testkit.VendorSIRET})}, &o)
	return o
}

func (w *world) list(path string) []map[string]any {
	w.T.Helper()
	var list struct{ Items []map[string]any }
	w.Must("GET", path, nil, &list)
	return list.Items
}

// firstOf is the first of a list, as soon as there is one.
func (w *world) firstOf(path string) map[string]any {
	w.T.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if rows := w.list(path); len(rows) > 0 {
			return rows[0]
		}
	}
	w.T.Fatalf("%s is empty", path)
	return nil
}
