package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedPeopleLogInByPhoneAndByCard(t *testing.T) {
	s := boot(t)
	var made struct {
		Items []struct {
			ID    string `json:"national_id"`
			Means []string
		}
	}
	if err := json.Unmarshal([]byte(s.cli("identities", "generate", "--count", "3", "--seed", "11", "--profession", "50", "--output", "json")), &made); err != nil || len(made.Items) != 3 {
		t.Fatalf("%v %+v", err, made)
	}
	for _, means := range []string{"ecps", "card"} {
		if out := s.cli("login", "--identity", made.Items[1].ID, "--means", means); !strings.Contains(out, `"10^`) && !strings.Contains(out, `"50^1.2.250.1.213.1.1.5.5"`) {
			t.Errorf("%s: %s", means, out)
		}
	}
	again := s.cli("identities", "generate", "--count", "3", "--seed", "11", "--profession", "50")
	for _, p := range made.Items {
		if !strings.Contains(again, p.ID) {
			t.Errorf("the same seed gives others: %s", again)
		}
	}
	var cards struct{ Items []struct{ Serial string } }
	if s.api("GET", "/cards?national_id="+made.Items[0].ID, "", &cards); len(cards.Items) != 1 {
		t.Errorf("%d cards after generating twice", len(cards.Items))
	}
}

func TestEveryProfessionLogsIn(t *testing.T) {
	s := boot(t)
	var table struct{ Items []struct{ Code, End string } }
	logged := 0
	for _, name := range []string{"G15", "R95", "R94", "R291"} {
		s.api("GET", "/codes/"+name, "", &table)
		for _, c := range table.Items {
			var made struct {
				Items []struct {
					ID string `json:"national_id"`
				}
			}
			if s.api("POST", "/identities/generate", `{"count":1,"seed":5,"from":`+c.Code+`,"profession":"`+c.Code+`"}`, &made) != 201 {
				continue
			}
			logged++
			_, to := s.authorizeWith(map[string][]string{"client_id": {"demo"}, "redirect_uri": {callbackURL}, "login_hint": {"auto:" + made.Items[0].ID}})
			if !strings.Contains(to, "code=") {
				t.Errorf("profession %s: %s", c.Code, to)
			}
		}
	}
	if logged < 29 {
		t.Errorf("only %d professions", logged)
	}
}

func TestPeopleTravelAsJSONAndCSV(t *testing.T) {
	s, other := boot(t), boot(t)
	s.cli("identities", "generate", "--count", "40", "--seed", "2")
	for _, format := range []string{"json", "csv"} {
		file := filepath.Join(t.TempDir(), "people."+format)
		out := s.cli("identities", "export", "--format", format)
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := other.cli("identities", "import", file); !strings.Contains(got, "55 people imported") {
			t.Errorf("%s: %s", format, got)
		}
		if back := other.cli("identities", "export", "--format", format); back != out {
			t.Errorf("%s: the round trip lost something", format)
		}
	}
}

func TestAttack32AnImportThatFailsChangesNothing(t *testing.T) {
	s := boot(t)
	before := s.cli("identities", "export")
	for name, c := range map[string]struct{ body, code string }{
		"the second is wrong": {`[{"national_id":"899700366240","family_name":"A","given_name":"B"},{"national_id":"1","family_name":"A","given_name":"B"}]`, "national-id-invalid"},
		"a wrong code":        {`[{"national_id":"899700366240","family_name":"A","given_name":"B","civility":"MRS"}]`, "code-unknown"},
		"truncated":           {`[{"national_id":"899700366240"`, "import-invalid"},
		"a column too few":    {"national_id\n1\n", "import-columns"},
	} {
		var p struct{ Code, Detail string }
		if status := s.api("POST", "/identities/import", c.body, &p); status != 400 || p.Code != c.code {
			t.Errorf("%s: %d %+v", name, status, p)
		}
	}
	if after := s.cli("identities", "export"); after != before {
		t.Error("something changed")
	}
	if status := s.api("POST", "/identities/import", `{"SubjectNameID":"899700366240","family_name":"DOC0036624","given_name":"KIT","SubjectRefPro":{"exercices":[]},"claim_of_tomorrow":1}`, nil); status != 201 {
		t.Errorf("a UserInfo: %d", status)
	}
	if out := s.cli("identities", "show", "899700366240"); !strings.Contains(out, "claim_of_tomorrow = 1") {
		t.Errorf("the unknown claim is lost: %s", out)
	}
}

func TestCodesAreSearchedWithoutAServer(t *testing.T) {
	out, err := exec.Command(binary, "codes", "g15", "sage").Output()
	if err != nil || !strings.Contains(string(out), "Sage-Femme") || strings.Contains(string(out), "Médecin") {
		t.Errorf("%v %s", err, out)
	}
	if err := exec.Command(binary, "codes", "NONE").Run(); err == nil || err.(*exec.ExitError).ExitCode() != exitUsage {
		t.Errorf("unknown table: %v", err)
	}
}
