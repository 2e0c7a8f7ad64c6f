package identities_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestEveryProfessionLogsIn(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var table struct{ Items []struct{ Code, End string } }
	logged := 0
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	for _, name := range []string{"G15", "R95", "R94", "R291"} {
		s.API("GET", "/codes/"+name, "", &table)
		for _, c := range table.Items {
			var made struct {
				Items []struct {
					ID string `json:"national_id"`
				}
			}
			if s.API(
				"POST",
				"/identities/generate",
				`{"count":1,"seed":5,"from":`+c.Code+`,"profession":"`+c.Code+`"}`,
				&made,
			) != 201 {
				continue
			}
			logged++
			// What the relying party receives is a UserInfo without fault:
			// every code of its table and in keeping with its neighbours.
			got, err := identities.ParseImport(rp.UserInfo(made.Items[0].ID))
			if err != nil || len(got.Warnings) > 0 || got.People[0].Profession() != c.Code {
				t.Errorf("profession %s: %v %v", c.Code, err, got)
			}
		}
	}
	if logged < 29 {
		t.Errorf("only %d professions", logged)
	}
}

func TestAttack32AnImportThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	before := string(testkit.Fetched(t, s.Ready, "/identities/export?format=json"))
	for name, c := range map[string]struct{ body, code string }{
		"the second is wrong": {
			`[{"national_id":"899700366240","family_name":"A","given_name":"B"},{"national_id":"1","family_name":"A",` +
				`"given_name":"B"}]`,
			"national-id-invalid",
		},
		"a wrong code": {
			`[{"national_id":"899700366240","family_name":"A","given_name":"B","civility":"MRS"}]`,
			"code-unknown",
		},
		"truncated":        {`[{"national_id":"899700366240"`, "import-invalid"},
		"a column too few": {"national_id\n1\n", "import-columns"},
	} {
		var p struct{ Code, Detail string }
		if status := s.API("POST", "/identities/import", c.body, &p); status != 400 || p.Code != c.code {
			t.Errorf("%s: %d %+v", name, status, p)
		}
	}
	for name, c := range map[string]struct{ body, code string }{
		"a YAML bomb": {"a: &a [x,x,x,x,x,x,x,x,x]\nb: [*a,*a,*a,*a,*a,*a,*a,*a]\n", "import-invalid"},
		"a BOM alone": {"\ufeff", "import-empty"},
		"a real one": {
			`[{"national_id":"810000000000",` +
				`"family_name":"A","given_name":"B"},{"national_id":"81000000000` +
				nomenclature.LuhnKey("1000000000") + `","family_name":"A","given_name":"B"}]`,
			"national-id-real",
		},
		"too large": {`["` + strings.Repeat("x", 65<<20) + `"]`, "body-too-large"},
	} {
		var p struct{ Code string }
		if s.API("POST", "/identities/import", c.body, &p); p.Code != c.code {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if after := string(testkit.Fetched(t, s.Ready, "/identities/export?format=json")); after != before {
		t.Error("something changed")
	}
	if status := s.API(
		"POST",
		"/identities/import",
		`{"SubjectNameID":"899700366240","family_name":"DOC0036624","given_name":"KIT","SubjectRefPro":{"exercices":[]},`+
			`"claim_of_tomorrow":1}`,
		nil,
	); status != 201 {
		t.Errorf("a UserInfo: %d", status)
	}
	if out := string(testkit.Fetched(
		t,
		s.Ready,
		"/identities/899700366240",
	)); !strings.Contains(out, "claim_of_tomorrow = 1") {
		t.Errorf("the unknown claim is lost: %s", out)
	}
}

// The look-up in the directory agrees with the login.
func TestTheDirectoryInFHIRAgreesWithTheLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ask := func(path string) (int, map[string]any) {
		resp, err := http.Get(s.ConsoleURL + "/fhir/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(resp.Body).
			Decode(&out); err != nil ||
			!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/fhir+json") {
			t.Fatalf("%v %s", err, resp.Header.Get("Content-Type"))
		}
		return resp.StatusCode, out
	}
	for _, q := range []string{
		"identifier=" + testkit.Doctor,
		"identifier=" + testkit.Doctor[1:],
		"identifier=" + url.QueryEscape("https://rpps.esante.gouv.fr|"+testkit.Doctor[1:]),
		"identifier=" + url.QueryEscape("urn:oid:1.2.250.1.71.4.2.1|"+testkit.Doctor),
	} {
		status, bundle := ask("Practitioner?" + q)
		raw, _ := json.Marshal(bundle)
		if status != 200 || bundle["total"] != 1.0 || !strings.Contains(string(raw), `"family":"DOC9001117"`) ||
			!strings.Contains(
				string(raw),
				`"code":"10","display":"Médecin","system":"https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/`+
					`TRE-G15-ProfessionSante"`,
			) {
			t.Errorf("%s: %d %s", q, status, raw)
		}
	}
	if _, roles := ask("PractitionerRole?practitioner.identifier=" + testkit.Doctor); roles["total"] != 8.0 {
		t.Errorf("the doctor of eight activities has %v roles", roles["total"])
	}
	if _, roles := ask(
		"PractitionerRole?_include=PractitionerRole:organization&practitioner=pscemu-" + strings.Replace(
			testkit.Staff,
			"/",
			"-",
			1,
		),
	); roles["total"].(float64) < 2 {
		t.Errorf("staff, whose id holds a slash: %v", roles)
	}
	if status, read := ask(
		"Practitioner/pscemu-" + testkit.Doctor,
	); status != 200 || read["id"] != "pscemu-"+testkit.Doctor {
		t.Errorf("read: %d %v", status, read)
	}
	if _, none := ask("Practitioner?identifier=nobody"); none["total"] != 0.0 {
		t.Errorf("nobody: %v", none)
	}
	if status, o := ask("Practitioner"); status != 400 || o["resourceType"] != "OperationOutcome" {
		t.Errorf("a search for nothing: %d %v", status, o)
	}
	var bundle struct {
		ResourceType, Type string
		Entry              []struct {
			FullURL  string
			Resource map[string]any
		}
	}
	if err := json.Unmarshal(testkit.Fetched(t, s.Ready, "/identities/export?format=fhir"), &bundle); err != nil {
		t.Fatal(err)
	}
	ids, need := map[string]bool{}, map[string][]string{
		"Practitioner":     {"id", "meta", "language", "identifier", "name", "active"},
		"PractitionerRole": {"id", "meta", "language", "identifier", "practitioner", "active"},
		"Organization":     {"id", "meta", "language", "identifier", "name", "active"},
	}
	for _, e := range bundle.Entry {
		kind := e.Resource["resourceType"].(string)
		id := kind + "/" + e.Resource["id"].(string)
		if ids[id] || len(e.Resource["id"].(string)) > 64 || strings.ContainsAny(e.Resource["id"].(string), "/_ ") {
			t.Errorf("%s comes twice, or is no FHIR id", id)
		}
		ids[id] = true
		profile, _ := json.Marshal(e.Resource["meta"])
		if !strings.Contains(string(profile), "/fr-core-") ||
			!strings.Contains(string(profile), "/as-dp-"+strings.ToLower(kind)) {
			t.Errorf("%s names the profiles %s", id, profile)
		}
		for _, field := range need[kind] {
			if e.Resource[field] == nil {
				t.Errorf("%s lacks %s", id, field)
			}
		}
	}
	for _, e := range bundle.Entry {
		for _, field := range []string{"practitioner", "organization"} {
			if ref, ok := e.Resource[field].(map[string]any); ok && !ids[ref["reference"].(string)] {
				t.Errorf("%v leads nowhere", ref)
			}
		}
	}
}

func TestADeleteIsUndoneForADayAndASearchFindsMoreThanNames(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	before := string(testkit.Fetched(t, s.Ready, "/identities/"+testkit.Nurse))
	s.API("DELETE", "/identities/"+testkit.Nurse, "", nil)
	if s.API("GET", "/identities/"+testkit.Nurse, "", nil) != 404 {
		t.Error("still there")
	}
	s.Must("POST", "/identities/"+testkit.Nurse+"/restore", nil, nil)
	if after := string(testkit.Fetched(t, s.Ready, "/identities/"+testkit.Nurse)); after != before {
		t.Errorf("restored as %s", after)
	}
	testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse+";means=card", "")
	s.API("DELETE", "/identities/"+testkit.Nurse, "", nil)
	s.API("PUT", "/clock", `{"offset":"25h"}`, nil)
	var p struct{ Code string }
	if s.API("POST", "/identities/"+testkit.Nurse+"/restore", "", &p); p.Code != "identity-not-deleted" {
		t.Errorf("after a day: %+v", p)
	}
	for query, want := range map[string]string{
		"medecin":         testkit.Doctor,
		"magic":           "899700000013",
		"hopital magique": "899700000013",
	} {
		if out := string(testkit.Fetched(t, s.Ready, "/identities?q="+url.QueryEscape(query))); !strings.Contains(out, want) {
			t.Errorf("%s: %s", query, out)
		}
	}
}
