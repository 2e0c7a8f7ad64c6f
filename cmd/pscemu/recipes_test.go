package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestTheRecipesWork(t *testing.T) {
	python, err := filepath.Abs("../../.tools/venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	s := boot(t)
	for name, c := range map[string]struct {
		command []string
		says    string
	}{
		"curl":       {[]string{"bash", "curl.sh"}, "curl: ok"},
		"playwright": {[]string{node(t), "playwright.mjs"}, "playwright: ok"},
		"selenium":   {[]string{python, "selenium_login.py"}, "selenium: ok"},
		"postman": {[]string{node(t),
			"node_modules/newman/bin/newman.js",
			"run",
			"postman.json",
			"--ssl-client-cert",
			s.DemoClient.CertificateFile,
			"--ssl-client-key",
			s.DemoClient.KeyFile,
			"--ssl-extra-ca-certs",
			s.CAFile,
			"--env-var",
			"base_url=" + s.BaseURL,
			"--env-var",
			"issuer=" + s.Issuer,
			"--env-var",
			"api_url=" + s.APIURL,
			"--env-var",
			"api_token=" + s.APIToken,
			"--env-var",
			"person=" + testkit.Doctor}, "the person"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(c.command[0], c.command[1:]...)
			cmd.Dir, cmd.Env = "../../examples/recipes", append(
				os.Environ(),
				"READY="+filepath.Join(s.data, "ready.json"),
			)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
