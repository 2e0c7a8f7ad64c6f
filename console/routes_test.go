package console

import (
	"strings"
	"testing"

	"pscemu.invalid/pscemu/console/access"
)

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
