package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/web"
)

func TestRoutesAreThoseOfEveryListenerOnceEach(t *testing.T) {
	seen, listeners := map[string]bool{}, map[string]int{}
	for _, r := range routes() {
		at := r.Listener + " " + r.Method + " " + r.Path
		if seen[at] || r.Room == "" || r.Handler == "" {
			t.Errorf("%s is there twice, or nobody answers: %+v", at, r)
		}
		seen[at] = true
		listeners[r.Listener]++
	}
	if listeners["protocol"] < 40 || listeners["card"] < 1 || listeners["console"] < 150 {
		t.Errorf("the routes by listener: %v", listeners)
	}
	for _, at := range []string{"protocol GET /auth", "console GET /", "console GET /api/v1/identities/:id",
		"console GET /desk/callback", "console POST /phone/:id/:request"} {
		if !seen[at] {
			t.Errorf("no route %s", at)
		}
	}
}

func TestRoutesArePrintedAsATableAndAsJSON(t *testing.T) {
	printed := func(args ...string) string {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(args)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if table := printed("routes"); !strings.HasPrefix(table, "LISTENER") ||
		!strings.Contains(table, "console/pages.People") {
		t.Errorf("the table: %.300s", table)
	}
	var list struct{ Items []web.Route }
	if err := json.Unmarshal([]byte(printed("routes", "--output", "json")), &list); err != nil || len(list.Items) < 200 {
		t.Errorf("%d routes: %v", len(list.Items), err)
	}
}
