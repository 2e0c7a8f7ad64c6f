package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// years on which the emulator has to work as it does today.
var years = map[string]string{"one year": "8760h", "five years": "43800h", "fifteen years": "131400h"}

// inYears is the part of the suite that runs there too: the protocol and what
// must be refused. Much of the rest sets the clock itself, or asks programs that
// keep the machine's time.
const inYears = `^(TestAnIndependentClient.*|TestTokensAndUserInfo.*|TestAttack[12679][A-Z].*|TestAttack(10|11|12|13|14|16|20|21And)[A-Z0-9].*)$`

func TestTheSuiteHoldsInOneFiveAndFifteenYears(t *testing.T) {
	if os.Getenv("PSCEMU_CLOCK_OFFSET") != "" {
		t.Skip("this is such a run")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, offset := range years {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(self, "-test.run", inYears, "-test.count=1", "-test.v")
			cmd.Env = append(os.Environ(), "PSCEMU_CLOCK_OFFSET="+offset)
			out, err := cmd.CombinedOutput()
			if passed := bytes.Count(out, []byte("\n--- PASS: Test")); err != nil || passed < 10 {
				t.Errorf("%v, %d tests passed:\n%s", err, passed, out)
			}
		})
	}
}

func TestADataFolderOfTodayServesInYears(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	kids := regexp.MustCompile(`"kid":"[^"]*"`)
	keys := func(s *server) []string {
		t.Helper()
		resp, err := s.HTTP(nil).Get(s.Issuer + "/protocol/openid-connect/certs")
		if err != nil {
			t.Fatal(err)
		}
		return kids.FindAllString(testkit.Text(t, resp), -1)
	}
	before := testkit.Encoded(t, keys(s))
	s.stop(os.Interrupt)
	for name, offset := range years {
		t.Run(name, func(t *testing.T) {
			s := bootIn(t, data, "--clock-offset", offset)
			s.T = t
			if after := testkit.Encoded(t, keys(s)); after != before {
				t.Errorf("the keys %s have become %s", before, after)
			}
			// The client is on the machine's time, as a developer's is.
			resp, err := s.HTTP(s.DemoCertificate()).
				PostForm(s.Issuer+"/protocol/openid-connect/token/introspect", map[string][]string{"client_id": {"demo"}, "token": {"x"}})
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("the demo client's certificate: %v %v", resp, err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if out := s.cli(
				"login",
				"--identity",
				testkit.Doctor,
				"--means",
				"card",
			); !bytes.Contains(
				[]byte(out),
				[]byte(testkit.Doctor),
			) {
				t.Errorf("a login by card: %s", out)
			}
			s.stop(os.Interrupt)
		})
	}
}
