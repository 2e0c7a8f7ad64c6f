package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestWrongUsageSaysWhereTheRightOneStands(t *testing.T) {
	s := boot(t)
	for args, help := range map[string]string{
		"nosuch":                          "see pscemu --help",
		"identities nosuch":               "see pscemu identities --help",
		"identities list --nosuch":        "see pscemu identities list --help",
		"ecps approve":                    "see pscemu ecps approve --help",
		"login --identity 1 --cert a.pem": "--cert and --key go together",
	} {
		if out, code := s.fails(strings.Fields(args)...); code != exitUsage || !strings.Contains(out, help) {
			t.Errorf("%s: exit %d, %s", args, code, out)
		}
	}
	if out, code := s.fails(
		"serve",
		"--listen",
		"0.0.0.0:0",
	); code != exitUsage ||
		!strings.Contains(out, "(address-not-loopback)") {
		t.Errorf("an address outside: exit %d, %s", code, out)
	}
	if out, code := s.fails("serve", "--max-body", "x"); code != exitUsage || !strings.Contains(out, "a whole number") {
		t.Errorf("a number that is none: exit %d, %s", code, out)
	}
}

func TestTheTerminalSpeaksEnglishAndThePagesFrench(t *testing.T) {
	s := boot(t)
	if out, code := s.fails(
		"ecps",
		"totp",
		"nosuch",
	); code != exitFailed || !strings.Contains(out, "no active e-CPS belongs to this id") ||
		strings.Contains(out, "vérifiez") {
		t.Errorf("exit %d, %s", code, out)
	}
	resp, err := s.HTTP(nil).Get(s.BaseURL + "/nosuch")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(
		resp.Body,
	); resp.StatusCode != http.StatusNotFound ||
		!strings.Contains(string(page), "Il n’y a rien à cette adresse") {
		t.Errorf("status %d: %s", resp.StatusCode, page)
	}
}

func TestAVeryLongNameDoesNotWidenTheList(t *testing.T) {
	s := boot(t)
	out := s.cli("identities", "list", "--search", "899700000112")
	if head, _, _ := strings.Cut(
		out,
		"\n",
	); len(head) > 120 || !strings.Contains(out, "Anne-Anne") ||
		!strings.Contains(out, "…  ") {
		t.Errorf("the list: %s", out)
	}
	if out := s.cli(
		"identities",
		"list",
		"--search",
		"899700000112",
		"--output",
		"json",
	); !strings.Contains(
		out,
		"LONGUE",
	) {
		t.Errorf("as JSON: %s", out)
	}
}

// The demo application meets the faults that were ordered, as any other does.
func TestTheDemoTellsWhatTheTokenEndpointAnswered(t *testing.T) {
	s := boot(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	get := func(address string) *http.Response {
		t.Helper()
		resp, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	var done struct {
		RedirectTo string `json:"redirect_to"`
	}
	asked, _ := json.Marshal(
		map[string]string{
			"authorize_url": get(s.ConsoleURL + "/demo/start").Header.Get("Location"),
			"identity":      testkit.Nurse,
		},
	)
	s.API("POST", "/logins", string(asked), &done)
	s.API("PUT", "/faults", `{"items":[{"kind":"status","endpoint":"token","times":1}]}`, nil)
	resp := get(done.RedirectTo)
	page, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(string(page), "503") ||
		!strings.Contains(string(page), "demo-token-refused") {
		t.Errorf("status %d: %s", resp.StatusCode, page)
	}
}
