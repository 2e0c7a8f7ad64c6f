package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestCommandsHoldInOneFiveAndFifteenYears(t *testing.T) { testkit.HoldsInYears(t, 1) }

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
	for name, offset := range testkit.Years {
		t.Run(name, func(t *testing.T) {
			s := bootIn(t, data, "--clock-offset", offset)
			s.T = t
			if after := testkit.Encoded(t, keys(s)); after != before {
				t.Errorf("the keys %s have become %s", before, after)
			}
			// The client is on the machine's time, as a developer's is.
			resp, err := s.HTTP(s.DemoCertificate()).
				PostForm(s.Issuer+"/protocol/openid-connect/token/introspect", map[string][]string{
					"client_id": {"demo"},
					"token":     {"x"},
				})
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
