package console

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/console/access"
	"pscemu.invalid/pscemu/console/api"
)

// The OpenAPI document has exactly the routes of the control API.
func TestTheDocumentListsExactlyTheRoutes(t *testing.T) {
	var document struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal((&api.API{}).OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for path, methods := range document.Paths {
		for method := range methods {
			listed[strings.ToUpper(method)+" "+path] = true
		}
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range Routes() {
		path, ours := strings.CutPrefix(r.Path, api.Base)
		if !ours {
			continue
		}
		route := r.Method + " " + parameter.ReplaceAllString(path, "{$1}")
		if !listed[route] {
			t.Errorf("%s is in no document", route)
		}
		delete(listed, route)
	}
	for route := range listed {
		t.Errorf("%s is documented, and no route", route)
	}
}

func TestEachRowOfTheTableOfReachesIsARoute(t *testing.T) {
	routed := map[string]bool{}
	for _, r := range Routes() {
		routed[r.Method+" "+r.Path] = true
	}
	counts := map[access.Reach]int{}
	for route := range routed {
		_, pattern, _ := strings.Cut(route, " ")
		counts[access.ReachOf(pattern)]++
	}
	for _, row := range access.Reaches {
		head := strings.TrimSuffix(row.Pattern, "*")
		found := false
		for route := range routed {
			_, pattern, _ := strings.Cut(route, " ")
			found = found || pattern == row.Pattern || head != row.Pattern && strings.HasPrefix(pattern, head)
		}
		if !found || row.Why == "" {
			t.Errorf("%s stands for no route, or says no reason", row.Pattern)
		}
	}
	if counts[access.ByAnybody] > 25 || counts[access.ByVisitor] != 4 || counts[access.BySession] < 40 ||
		counts[access.ByToken] < 80 {
		t.Errorf("the routes are divided so: %v", counts)
	}
	for _, pattern := range []string{
		"/debug/pprof/*", "/demo/start", "/desk/start", "/logins/stream", "/desk/order", "/whyever",
	} {
		if got := access.ReachOf(pattern); got != access.BySession {
			t.Errorf("%s is %d", pattern, got)
		}
	}
}
