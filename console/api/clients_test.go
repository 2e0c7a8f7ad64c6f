package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestOfFiftyClientsRegisteredAtOnceUnderOneIDOneIs(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const many = 50
	statuses := make([]int, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			statuses[i] = s.API(
				"POST",
				"/clients",
				fmt.Sprintf(`{"client_id":"one","name":"n%d","redirect_uris":[%q]}`, i, testkit.CallbackURL),
				nil,
			)
		})
	}
	wg.Wait()
	winner := -1
	for i, status := range statuses {
		switch {
		case status == 201 && winner < 0:
			winner = i
		case status != 409:
			t.Errorf("call %d: %d", i, status)
		}
	}
	var kept struct{ Name string }
	if s.API("GET", "/clients/one", "", &kept); winner < 0 || kept.Name != fmt.Sprintf("n%d", winner) {
		t.Errorf("call %d made it, %q is kept", winner, kept.Name)
	}
}

// registered is what a client looks like in the API and on the command line.
type registered struct {
	ID       string `json:"client_id"`
	Name     string
	Secret   string            `json:"client_secret"`
	URIs     []string          `json:"redirect_uris"`
	Policies map[string]string `json:"policies"`
}

func TestPutReplacesAClientAndPatchChangesIt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var c registered
	if status := s.API(
		"PUT",
		"/clients/app",
		`{"client_id":"app","name":"a","client_secret":"s","redirect_uris":["https://a.example/"]}`,
		&c,
	); status != 200 {
		t.Fatalf("PUT makes one: %d", status)
	}
	if status := s.API(
		"PATCH",
		"/clients/app",
		`{"name":"b","policies":{"acr":"eidas2"}}`,
		&c,
	); status != 200 || c.Name != "b" || c.Secret != "s" ||
		len(c.URIs) != 1 {
		t.Errorf("PATCH: %d %+v", status, c)
	}
	c = registered{}
	if status := s.API(
		"PATCH",
		"/clients/app",
		`{"name":null,"policies":{"acr":null},"client_secret":null}`,
		&c,
	); status != 200 || c.Name != "" || c.Secret != "" ||
		len(c.Policies) != 0 {
		t.Errorf("PATCH with null: %d %+v", status, c)
	}
	for name, call := range map[string]struct{ method, body, code, says string }{
		"a slip":          {"PATCH", `{"redirect_uri":["https://a.example/"]}`, "client-member-unknown", "redirect_uris"},
		"another case":    {"PATCH", `{"Name":"x"}`, "client-member-unknown", "name"},
		"what is derived": {"PATCH", `{"bound_to":"CN=x"}`, "client-member-unknown", ""},
		"another id":      {"PATCH", `{"client_id":"b"}`, "id-differs", "app"},
		"no id":           {"PATCH", `{"client_id":null}`, "id-differs", "app"},
		"a wrong type":    {"PATCH", `{"redirect_uris":"https://a.example/"}`, "body-invalid", "redirect_uris"},
		"no object":       {"PATCH", `[]`, "body-invalid", "object"},
		"null":            {"PATCH", `null`, "body-invalid", "object"},
		"two values":      {"PATCH", `{"name":"x"} {}`, "body-invalid", ""},
		"a bad URI":       {"PATCH", `{"redirect_uris":["app"]}`, "redirect-uri-invalid", "app"},
		"an unknown one":  {"PATCH", `{"policies":{"acrs":"x"}}`, "policy-unknown", "acr"},
		"a useless secret": {
			"PATCH",
			`{"client_secret":"s","policies":{"client-auth":"mtls"}}`,
			"client-secret-useless",
			"mtls",
		},
		"PUT, a slip":     {"PUT", `{"client_id":"app","redirect_uri":[]}`, "body-invalid", "redirect_uris"},
		"PUT, another id": {"PUT", `{"client_id":"b","redirect_uris":["https://a.example/"]}`, "id-differs", "app"},
		"PUT, derived": {
			"PUT",
			`{"client_id":"app","redirect_uris":["https://a.example/"],"bound_to":"CN=x"}`,
			"client-bound-to-derived",
			"tls_client_auth_subject_dn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p map[string]any
			if status := s.API(
				call.method,
				"/clients/app",
				call.body,
				&p,
			); status != 400 || p["code"] != call.code ||
				!strings.Contains(testkit.Encoded(t, p), call.says) {
				t.Errorf("got %d %+v, want %s naming %q", status, p, call.code, call.says)
			}
		})
	}
	var whole json.RawMessage
	s.API("GET", "/clients/app", "", &whole)
	if status := s.API("PUT", "/clients/app", string(whole), nil); status != 200 {
		t.Errorf("what was read cannot be sent back: %d", status)
	}
	if status := s.API("PATCH", "/clients/nobody", `{"name":"x"}`, nil); status != 404 {
		t.Errorf("PATCH of nobody: %d", status)
	}
}

// Changes at once of one client are all kept; the listing tells where it goes on.
func TestChangesOfAClientAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddClient("app", testkit.CallbackURL)
	want := map[string]string{
		"acr":                    "eidas2",
		"code-lifetime":          "30s",
		"access-token-lifetime":  "1m",
		"refresh-token-lifetime": "10m",
		"refresh-rotation":       "false",
		"bind-access-tokens":     "true",
		"require-pkce":           "true",
		"userinfo-format":        "jwt",
		"introspect-any":         "true",
	}
	var wg sync.WaitGroup
	for range 5 {
		for name, value := range want {
			wg.Go(func() {
				if status := s.API(
					"PATCH",
					"/clients/app",
					fmt.Sprintf(`{"policies":{%q:%q}}`, name, value),
					nil,
				); status != 200 {
					t.Errorf("%s: %d", name, status)
				}
			})
		}
	}
	wg.Wait()
	var c registered
	if s.API("GET", "/clients/app", "", &c); testkit.Encoded(t, c.Policies) != testkit.Encoded(t, want) {
		t.Errorf("%v is kept of %v", c.Policies, want)
	}
	var page struct {
		Items []registered
		Next  string
	}
	if s.API("GET", "/clients?limit=1", "", &page); page.Next != "app" || len(page.Items) != 1 {
		t.Errorf("the first page: %+v", page)
	}
	if s.API("GET", "/clients?limit=2&after=app", "", &page); page.Next != "" || len(page.Items) != 1 {
		t.Errorf("the last page: %+v", page)
	}
}
