package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pscemu.invalid/pscemu/console/api"
)

// The document passes spectral's rules for OpenAPI, without errors or warnings.
func TestTheDocumentPassesTheLinter(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no npm tools")
	}
	tool, err := filepath.Abs("../../.tools/node_modules/@stoplight/spectral-cli/dist/index.js")
	if err == nil {
		_, err = os.Stat(tool)
	}
	if err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	document := filepath.Join(t.TempDir(), "openapi.json")
	described := api.API{URL: "http://127.0.0.1:9440", Version: "0"}
	if err := os.WriteFile(document, described.OpenAPI(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(node(), tool, "lint", "--fail-severity", "hint", "--ruleset", "../../.ci/spectral.yaml",
		document).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// node is the one that make deps brought, or else the machine's.
func node() string {
	brought, err := filepath.Abs("../../.tools/node_modules/node/bin/node")
	if err == nil {
		if _, err = os.Stat(brought); err == nil {
			return brought
		}
	}
	return "node"
}
