package main

import (
	"encoding/json"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// registered is what a client looks like in the API and on the command line.
type registered struct {
	ID       string `json:"client_id"`
	Name     string
	Secret   string            `json:"client_secret"`
	URIs     []string          `json:"redirect_uris"`
	Policies map[string]string `json:"policies"`
}

func TestClientsAreAddedOnceThenChanged(t *testing.T) {
	s := boot(t)
	add := []string{
		"clients",
		"add",
		"app",
		"--redirect-uri",
		testkit.CallbackURL,
		"--client-auth",
		"secret",
		"--policy",
		"acr=eidas2",
	}
	read := func(out string) (c registered) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &c); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return c
	}
	made := read(s.cli(add...))
	if len(made.Secret) < 20 || read(s.cli("clients", "show", "app")).Secret != made.Secret {
		t.Fatalf("no secret was made, or another is shown: %+v", made)
	}
	if out := s.cli("clients", "list"); !strings.Contains(out, "  acr=eidas2,client-auth=secret  ") {
		t.Errorf("the list of clients: %s", out)
	}
	if out := s.cli(
		"login",
		"--client",
		"app",
		"--identity",
		testkit.Nurse,
		"--redirect-uri",
		testkit.CallbackURL,
	); !strings.Contains(
		out,
		`"azp": "app"`,
	) {
		t.Errorf("a login with the secret that was made: %s", out)
	}
	if out, code := s.fails(
		append(add, "--name", "x")...); code != 1 || !strings.Contains(out, "client-exists") ||
		!strings.Contains(out, "clients update app") {
		t.Errorf("added twice: exit %d, %s", code, out)
	}
	changed := read(
		s.cli(
			"clients",
			"update",
			"app",
			"--name",
			"Mon application",
			"--policy",
			"code-lifetime=30s",
			"--output",
			"json",
		),
	)
	if changed.Name != "Mon application" || changed.Secret != made.Secret || len(changed.URIs) != 1 ||
		changed.Policies["acr"] != "eidas2" || changed.Policies["code-lifetime"] != "30s" ||
		changed.Policies["client-auth"] != "secret" {
		t.Errorf("changed: %+v", changed)
	}
	if gone := read(
		s.cli("clients", "update", "app", "--policy", "acr=", "--secret", ""),
	); gone.Policies["acr"] != "" || gone.Secret == made.Secret ||
		gone.Secret == "" {
		t.Errorf("a policy taken away, a secret made anew: %+v", gone)
	}
	for name, c := range map[string]struct {
		exit int
		says string
		args []string
	}{
		"a secret beside mTLS": {
			1,
			"client-auth",
			[]string{"clients", "add", "m1", "--redirect-uri", testkit.CallbackURL, "--client-auth", "mtls", "--secret", "s"},
		},
		"a secret where mTLS is the way": {
			1,
			"client-auth",
			[]string{"clients", "add", "m2", "--redirect-uri", testkit.CallbackURL, "--secret", "s"},
		},
		"mTLS for one with a secret": {1, "--secret ''", []string{"clients", "update", "app", "--client-auth", "mtls"}},
		"nobody":                     {1, "client-unknown", []string{"clients", "update", "nobody", "--name", "x"}},
		"nothing":                    {2, "nothing is to change", []string{"clients", "update", "app"}},
	} {
		if out, code := s.fails(c.args...); code != c.exit || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, %s", name, code, out)
		}
	}
	for _, id := range []string{"m1", "m2"} {
		if status := s.API("GET", "/clients/"+id, "", nil); status != 404 {
			t.Errorf("%s is there after all: %d", id, status)
		}
	}
}
