package main

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAProfileGathersDefaultsThatAFlagStillBeats(t *testing.T) {
	for profile, want := range map[string][]string{
		"bas-2026":  {"client-auth mtls default", "acr requested default"},
		"bas-2023":  {"client-auth either profile"},
		"prod-2026": {"acr card=eidas2,mobile=requested profile", "auth-level-claim true profile"},
		"next":      {"require-pkce true profile", "bind-access-tokens true profile", "code-lifetime 5s flag"},
	} {
		out, err := exec.Command(binary, "config", "--profile", profile, "--code-lifetime", "5s", "--output", "json").
			Output()
		if err != nil {
			t.Fatal(err)
		}
		var table struct{ Items []config.Setting }
		if err := json.Unmarshal(out, &table); err != nil {
			t.Fatal(err)
		}
		rows := ""
		for _, r := range table.Items {
			rows += r.Name + " " + r.Value + " " + r.Origin + "\n"
		}
		for _, w := range want {
			if !strings.Contains(rows, w+"\n") {
				t.Errorf("%s: no %q in\n%s", profile, w, rows)
			}
		}
	}
	s := boot(t, "--profile", "prod-2026")
	var done struct{ Redirect_to string } //nolint:revive // key of the API
	s.API(
		"POST",
		"/logins",
		`{"authorize_url":"`+s.BaseURL+`/auth?response_type=code&client_id=demo&scope=openid&`+
			`redirect_uri=http%3A%2F%2Flocalhost%2Fcb","identity":"`+testkit.Nurse+`","means":"card"}`,
		&done,
	)
	u, _ := url.Parse(done.Redirect_to)
	_, a := s.Post(
		"token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {u.Query().Get("code")},
			"redirect_uri": {"http://localhost/cb"},
		},
	)
	if _, payload := testkit.JWTParts(
		t,
		a["id_token"].(string),
	); !strings.Contains(payload, `"acr":"eidas2"`) || !strings.Contains(payload, `"authMode":"CARD"`) ||
		!strings.Contains(payload, `"auth_level":"1"`) {
		t.Errorf("production's card login: %s", payload)
	}
}

func TestDiffFindsWhatWasInjectedAndNothingElse(t *testing.T) {
	s := boot(t)
	dir := t.TempDir() + "/recorded"
	s.cli("diff", dir, "--record", "--identity", testkit.Nurse)
	if out := s.cli("diff", dir); !strings.Contains(out, "5 documents, 0 differences") {
		t.Errorf("equal input: %s", out)
	}
	testkit.Replace(t, dir+"/userinfo.json", `"UITVersion":"1.0"`, `"UITVersion":"1.1"`)
	testkit.Replace(
		t,
		dir+"/discovery.json",
		`"claims_parameter_supported":true`,
		`"claims_parameter_supported":true,"new_field":1`,
	)
	out, err := exec.Command(binary, "diff", dir, "--data", s.data).Output()
	if err == nil ||
		string(
			out,
		) != "discovery.json  new_field  missing here: recorded \"1\", here \"\"\nuserinfo.json  UITVersion  value: "+
			"recorded \"1.1\", here \"1.0\"\n5 documents, 2 differences\n" {
		t.Errorf("%v %s", err, out)
	}
}
