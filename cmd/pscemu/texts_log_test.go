package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// What people and clients are called is text in headers, names of files and
// lines of the log.
func TestAttack52NamesAreTextInHeadersFilesAndLogs(t *testing.T) {
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, "--log-level", "debug", "--log-format", "json")
	const evil = "Dr\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>\"; filename=\"x.exe\u2028=cmd"
	s.Register("evil", map[string]any{"name": evil, "redirect_uris": []string{testkit.CallbackURL}})
	s.API(
		"POST",
		"/identities",
		testkit.Encoded(
			t,
			map[string]any{
				"national_id":   "ANS20260101000009",
				"family_name":   evil,
				"given_name":    evil,
				"notes":         evil,
				"exercices":     []any{},
				"behaviour":     "approve",
				"allow_invalid": "odd",
			},
		),
		nil,
	)
	s.API("POST", "/identities/ANS20260101000009/ecps", `{"code":"1234"}`, nil)
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"evil"},
		"scope":         {"openid"},
		"redirect_uri":  {testkit.CallbackURL},
		"state":         {evil},
		"nonce":         {evil},
		"login_hint":    {"auto:ANS20260101000009"},
	}
	for _, more := range []url.Values{
		{},
		{"login_hint": {evil}},
		{"client_id": {evil}},
		{"redirect_uri": {"https://app.example/" + evil}},
		{"scope": {evil}},
		{"prompt": {evil}},
	} {
		v := url.Values{}
		for name, values := range q {
			v[name] = values
		}
		for name, values := range more {
			v[name] = values
		}
		resp, err := s.Browser().Get(s.BaseURL + "/auth?" + v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if page := testkit.Text(t, resp); resp.Header.Get("X-Evil") != "" || strings.Contains(page, "<script>alert") {
			t.Errorf("%v: %v", more, resp.Header)
		}
	}
	var cards struct{ Items []struct{ Serial string } }
	s.API("GET", "/cards?national_id="+testkit.Nurse, "", &cards)
	plainName := regexp.MustCompile(`^attachment; filename="[A-Za-z0-9._-]+"$`)
	var logins struct{ Items []struct{ ID string } }
	s.API("GET", "/logins", "", &logins)
	for _, path := range []string{
		"/identities/export?format=csv&q=" + url.QueryEscape(evil),
		"/identities/export?format=fhir",
		"/cards/" + cards.Items[0].Serial + "/p12",
		"/logins/" + logins.Items[0].ID + "/har",
		"/scenarios/current",
		"/backup",
	} {
		resp, _ := testkit.Visit{
			Method: "GET",
			At:     s.APIURL + path,
			Header: map[string]string{"Authorization": "Bearer " + s.APIToken},
		}.Send(
			t,
		)
		if got := resp.Header.Get(
			"Content-Disposition",
		); resp.StatusCode == 200 && !plainName.MatchString(got) || resp.StatusCode != 200 ||
			resp.Header.Get("X-Evil") != "" {
			t.Errorf("%s: %s %q", path, resp.Status, got)
		}
	}
	s.stop(os.Interrupt)
	lines := 0
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no line of JSON: %v %q", err, line)
		}
		lines++
	}
	if lines < 5 {
		t.Errorf("%d lines of the log", lines)
	}
}
