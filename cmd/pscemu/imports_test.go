package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// order is the design's table: a package imports only packages before it.
var order = []string{
	"internal/problem",
	"internal/clock",
	"internal/web",
	"internal/telemetry",
	"docs",
	"config",
	"internal/store",
	"internal/store/storetest",
	"identities/nomenclature",
	"identities/yamltext",
	"identities",
	"identities/fhir",
	"identities/outbox",
	"identities/ecps",
	"cards/pki",
	"cards",
	"cards/orders",
	"provider/clients",
	"provider/delivery",
	"provider/faults",
	"provider/journal",
	"provider/login",
	"provider/oidc",
	"provider",
	"static",
	"lab/conformance",
	"lab/drift",
	"lab/check/sample",
	"lab/check",
	"lab/doctor",
	"console/guide",
	"console",
	"emulator",
	"pscemutest",
	"lab/bench",
	"cmd/pscemu",
}

// keepers are the only importers of a technology.
var keepers = map[string]string{
	"github.com/ory/fosite":              "pscemu.invalid/pscemu/provider/oidc",
	"go.etcd.io/bbolt":                   "pscemu.invalid/pscemu/internal/store",
	"github.com/pquerna/otp":             "pscemu.invalid/pscemu/identities/ecps",
	"github.com/VictoriaMetrics/metrics": "pscemu.invalid/pscemu/internal/telemetry",
	"go.opentelemetry.io/otel/sdk":       "pscemu.invalid/pscemu/internal/telemetry",
}

func TestImportsGoOnlyUpwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "pscemu.invalid/pscemu/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	place := func(p string) int { return slices.Index(order, strings.TrimPrefix(p, "pscemu.invalid/pscemu/")) }
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if place(p.ImportPath) < 0 {
			t.Errorf("%s has no place in the order", p.ImportPath)
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, "pscemu.invalid/pscemu/") && place(i) >= place(p.ImportPath) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
			for technology, keeper := range keepers {
				if strings.HasPrefix(i, technology) && p.ImportPath != keeper {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, keeper)
				}
			}
		}
	}
}
