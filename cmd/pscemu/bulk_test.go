package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/yamltext"
	"pscemu.invalid/pscemu/internal/testkit"
)

// batches is somewhat more people than one transaction is about.
const batches = 3*identities.Batch + 7

// whole is everything stored and set, line by line, but what the running clock
// shows, and authorities and keys, which are made beside the first requests.
func (s *server) whole() string {
	s.T.Helper()
	var state struct {
		Clock            map[string]any
		Settings, Faults any
		Entries          []struct {
			Key            string
			Value, Expires any
		}
	}
	if status := s.API("GET", "/state", "", &state); status != 200 {
		s.T.Fatal(status)
	}
	if state.Clock["frozen"] == false {
		delete(state.Clock, "now")
	}
	var b strings.Builder
	fmt.Fprintln(
		&b,
		testkit.Encoded(s.T, state.Clock),
		testkit.Encoded(s.T, state.Settings),
		testkit.Encoded(s.T, state.Faults),
	)
	for _, e := range state.Entries {
		if !strings.HasPrefix(e.Key, "authorities/") && !strings.HasPrefix(e.Key, "keys/") {
			fmt.Fprintln(&b, e.Key, testkit.Encoded(s.T, e.Value), testkit.Encoded(s.T, e.Expires))
		}
	}
	return b.String()
}

// differ fails the test with the first line in which two wholes differ.
func differ(t *testing.T, what, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for k := range min(len(was), len(is)) {
		if was[k] != is[k] {
			t.Fatalf("%s: something changed:\n%.300s\nwas\n%.300s", what, is[k], was[k])
		}
	}
	t.Fatalf("%s: %d lines, were %d", what, len(is), len(was))
}

// peopleOf makes people of a seed as a list of JSON, without storing them.
func peopleOf(t *testing.T, seed uint64, n int) []string {
	t.Helper()
	g := &identities.Generator{Seed: seed}
	out := make([]string, n)
	for k := range out {
		out[k] = testkit.Encoded(t, g.Person(k))
	}
	return out
}

func TestAScenarioThatIsRefusedLeavesNothing(t *testing.T) {
	s := boot(t)
	s.Must("POST", "/identities/generate", map[string]any{"count": 5, "seed": 3}, nil)
	s.cli("scenario", "load", written(t, "faults: [{kind: slow}]\nsettings: {acr: eidas2}\nclock: {offset: 2h}\n"))
	good := `"settings":{"acr":"eidas3","client-auth":"secret"},"clock":{"offset":"36h"},
		"faults":[{"kind":"cut","times":2}],
		"clients":[{"client_id":"made","redirect_uris":["https://app.example/cb"]}],
		"generate":[{"count":40,"seed":7}],"reader":"899700366240",`
	first := `{"national_id":"899700366240","family_name":"DOC","given_name":"KIT","ecps":"4321","cards":[{"type":"CPS"}]}`
	few, lots := first, first+","+strings.Join(peopleOf(t, 99, batches), ",")
	ends := map[string]struct{ last, code string }{
		"an unknown person":     {`{"national_id":"899700000000","behaviour":"refuse"}`, "identity-unknown"},
		"a person with no name": {`{"national_id":"899700237045","family_name":"A"}`, "name-missing"},
		"no national id":        {`{"national_id":"1","family_name":"A","given_name":"B"}`, "national-id-invalid"},
		"a real number": {
			`{"national_id":"810000000017","family_name":"A","given_name":"B"}`,
			"national-id-real",
		},
		"an unknown card": {`{"national_id":"` + testkit.Nurse + `","cards":[{"type":"CPX"}]}`, "card-type-unknown"},
		"a card's state": {
			`{"national_id":"` + testkit.Nurse + `","cards":[{"type":"CPS"},{"type":"CPS","state":"lost"}]}`,
			"card-state",
		},
		"a card's code":       {`{"national_id":"` + testkit.Nurse + `","cards":[{"type":"CPE","pin":"12"}]}`, "pin-form"},
		"a CPF of no student": {`{"national_id":"` + testkit.Nurse + `","cards":[{"type":"CPF"}]}`, "card-cpf-not-student"},
		"an e-CPS code":       {`{"national_id":"` + testkit.Nurse + `","ecps":"12"}`, "ecps-code-form"},
		"an unknown member":   {`{"national_id":"` + testkit.Nurse + `","ecp":"1234"}`, "scenario-unreadable"},
	}
	before := s.whole()
	try := func(name, body, code string) {
		t.Helper()
		for _, reset := range []string{"false", "true"} {
			if got := s.CodeOf("POST", "/scenarios?reset="+reset, body); got != code {
				t.Errorf("%s, reset=%s: %q, want %q", name, reset, got, code)
			}
			differ(t, name+", reset="+reset, before, s.whole())
		}
	}
	for name, c := range ends {
		try(name, "{"+good+`"people":[`+few+","+c.last+"]}", c.code)
		try(name+", behind many", "{"+good+`"people":[`+lots+","+c.last+"]}", c.code)
	}
	for name, c := range map[string]struct{ member, code string }{
		"a setting":         {`"settings":{"acr":"a b"}`, "setting-invalid"},
		"a fault":           {`"faults":[{"kind":"gremlin"}]`, "fault-unknown"},
		"a clock":           {`"clock":{"offset":"2000000h"}`, "clock-out-of-range"},
		"a closed door":     {`"settings":{"door-faults":false},"faults":[{"kind":"cut"}]`, "door-closed"},
		"a client":          {`"clients":[{"client_id":""}]`, "client-id-invalid"},
		"a generation":      {`"generate":[{"count":0}]`, "count-invalid"},
		"a reader":          {`"reader":"899790000007"`, "card-none"},
		"a second mistake":  {`"people":[` + first + `],"peoples":[]`, "scenario-unreadable"},
		"half of a list":    {`"people":[` + first + `,{"national_id"`, "scenario-unreadable"},
		"something behind":  {`"name":"x"}{"name":"y"`, "scenario-unreadable"},
		"no list of people": {`"people":{"a":1}`, "scenario-unreadable"},
	} {
		got := s.CodeOf("POST", "/scenarios", "{"+c.member+"}")
		if got != c.code {
			t.Errorf("%s: %q, want %q", name, got, c.code)
		}
		differ(t, name, before, s.whole())
	}
	// The same without the last mistake is taken, in the fresh world too.
	for _, reset := range []string{"false", "true"} {
		if status := s.API("POST", "/scenarios?reset="+reset, "{"+good+`"people":[`+lots+"]}", nil); status != 201 {
			t.Fatalf("reset=%s: %d", reset, status)
		}
		now := s.whole()
		for _, want := range []string{
			`"eidas3"`,
			`"36h0m0s"`,
			`"cut"`,
			"clients/made",
			"identities/899700366240",
			"reader/slot",
		} {
			if !strings.Contains(now, want) {
				t.Errorf("reset=%s: no %s", reset, want)
			}
		}
		if got := s.counted("generated"); got != batches+40+map[string]int{"false": 5, "true": 0}[reset] {
			t.Errorf("reset=%s: %d generated people", reset, got)
		}
		s.API("DELETE", "/state", "", nil)
		s.Must("POST", "/identities/generate", map[string]any{"count": 5, "seed": 3}, nil)
	}
}

// written is a file that holds this text.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// counted is how many people bear a tag.
func (s *server) counted(tag string) int {
	s.T.Helper()
	n := 0
	for after := ""; ; {
		var list struct {
			Items []struct{}
			Next  string
		}
		s.API("GET", "/identities?limit=1000&tag="+tag+"&after="+url.QueryEscape(after), "", &list)
		if n += len(list.Items); list.Next == "" {
			return n
		}
		after = list.Next
	}
}

// A situation of more people than a page or a transaction holds is written as it
// is read, and makes the same situation elsewhere, from YAML as from JSON.
func TestALargeSituationIsSavedAndLoadedWhole(t *testing.T) {
	s := boot(t)
	s.Must("POST", "/identities/generate", map[string]any{"count": 800, "seed": 5}, nil)
	s.API("PUT", "/identities/"+testkit.Doctor+"/ecps/behaviour", `{"action":"refuse"}`, nil)
	s.AddClient("near", "https://app.example/callback")
	dir := t.TempDir()
	asYAML, asJSON := filepath.Join(dir, "now.yaml"), filepath.Join(dir, "now.json")
	s.cli("scenario", "save", asYAML)
	raw := s.download("/scenarios/current?format=json")
	if err := os.WriteFile(asJSON, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(asYAML)
	if err != nil || len(text) < yamltext.MaxWhole {
		t.Fatalf("%d bytes of YAML: %v", len(text), err)
	}
	var want struct{ People []map[string]any }
	if err := json.Unmarshal(raw, &want); err != nil || len(want.People) != 801 {
		t.Fatalf("%v, %d people", err, len(want.People))
	}
	for name, file := range map[string]string{"yaml": asYAML, "json": asJSON} {
		other := s.space("from-" + name)
		other.cli("scenario", "load", file)
		if got := other.download("/scenarios/current?format=json"); !bytes.Equal(got, raw) {
			t.Errorf("%s: another situation", name)
		}
		other.cli("scenario", "load", "--reset", file)
		if got := other.download("/scenarios/current?format=json"); !bytes.Equal(got, raw) {
			t.Errorf("%s with reset: another situation", name)
		}
	}
	page := pageText(t, s.ConsoleBrowser(), s.ConsoleURL+"/scenario")
	for _, hook := range []string{"scenario-download", "scenario-no-link", "801 personne"} {
		if !strings.Contains(page, hook) {
			t.Errorf("the page lacks %s", hook)
		}
	}
	if strings.Contains(page, `data-testid="scenario-link"`) || len(page) > 200<<10 {
		t.Errorf("the page is %d bytes, or has a link", len(page))
	}
	if out, code := s.fails(
		"scenario",
		"link",
		asYAML,
	); code != exitFailed ||
		!strings.Contains(out, "too long for a link") {
		t.Errorf("%d %s", code, out)
	}
}

// pageText is what a browser gets.
func pageText(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return testkit.Text(t, resp)
}

func (s *server) download(path string) []byte {
	s.T.Helper()
	req, _ := http.NewRequest(http.MethodGet, s.APIURL+path, nil)
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.T.Fatalf("%s: %v %s %.200s", path, err, resp.Status, b)
	}
	return b
}

// made is what generate answers.
type made struct {
	Items []json.RawMessage
	Count int
	Next  int
}

func (m *made) ids(t *testing.T) (out []string) {
	t.Helper()
	for _, raw := range m.Items {
		var p struct {
			ID string `json:"national_id"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p.ID)
	}
	return out
}

// Numbers that are taken are left out, what is printed is what is stored, and in
// an empty world a seed gives the same people each time.
func TestGenerateGoesOnBehindTakenNumbers(t *testing.T) {
	s := boot(t)
	const n = 250 // more than one transaction
	generate := func(args ...string) *made {
		t.Helper()
		var m made
		out := s.cli(
			append(
				[]string{"identities", "generate", "--seed", "11", "--count", fmt.Sprint(n), "--output", "json"},
				args...)...)
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatal(err)
		}
		return &m
	}
	first := generate()
	for k, raw := range first.Items {
		if want := testkit.Encoded(
			t,
			(&identities.Generator{Seed: 11}).Person(k),
		); !strings.HasPrefix(
			string(raw),
			want[:len(want)-1],
		) {
			t.Fatalf("person %d of the seed:\n%s\nwant\n%s", k, raw, want)
		}
	}
	second := generate()
	seen := map[string]bool{}
	for _, id := range append(first.ids(t), second.ids(t)...) {
		var stored struct{ Means []string }
		if s.API("GET", "/identities/"+url.PathEscape(id), "", &stored); len(stored.Means) != 2 {
			t.Errorf("%s was printed and has %v", id, stored.Means)
		}
		seen[id] = true
	}
	if len(seen) != 2*n || s.counted("generated") != 2*n {
		t.Errorf("%d different people, %d stored, want %d", len(seen), s.counted("generated"), 2*n)
	}
	if first.Next != n || second.Next != 2*n {
		t.Errorf("next: %d, then %d", first.Next, second.Next)
	}
	s.cli("identities", "delete", first.ids(t)[7])
	if third := generate("--count", "2"); third.ids(t)[0] != first.ids(t)[7] || third.Next != 2*n+1 {
		t.Errorf("behind a gap: %v, next %d", third.ids(t), third.Next)
	}
	if out := s.cli(
		"identities",
		"generate",
		"--seed",
		"11",
		"--count",
		"1",
		"--from",
		fmt.Sprint(2*n+1),
	); !strings.Contains(
		out,
		fmt.Sprintf("next from %d", 2*n+2),
	) {
		t.Error(out)
	}
	s.API("DELETE", "/state", "", nil)
	if again := generate(); testkit.Encoded(t, again) != testkit.Encoded(t, first) {
		t.Error("the same seed gives others in an empty world")
	}
	if got := s.CodeOf("POST", "/identities/generate", `{"count":5,"from":7999999}`); got != "numbers-exhausted" {
		t.Errorf("behind the last number: %q", got)
	}
}

// Calls at once with one seed make each person once.
func TestGenerateAtOnceMakesNobodyTwice(t *testing.T) {
	s := boot(t)
	const calls, n = 8, 30
	var mu sync.Mutex
	var work sync.WaitGroup
	seen := map[string]bool{}
	for range calls {
		work.Go(func() {
			var m made
			if status := s.Attempt(
				"POST",
				"/identities/generate",
				fmt.Sprintf(`{"count":%d,"seed":4}`, n),
				&m,
			); status != 201 {
				t.Error(status)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range m.ids(t) {
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
			}
		})
	}
	work.Wait()
	if stored := s.counted("generated"); len(seen) != calls*n || stored != calls*n {
		t.Errorf("%d printed, %d stored, want %d", len(seen), stored, calls*n)
	}
}

// jobNow is what the control API tells of a long command.
type jobNow struct {
	ID, State   string
	Done, Total int
	Problem     struct{ Code string }
}

func (s *server) job(id string) (j jobNow) {
	s.T.Helper()
	if status := s.API("GET", "/jobs/"+id, "", &j); status != 200 {
		s.T.Fatal(status)
	}
	return j
}

// ended waits for a job.
func (s *server) ended(id string) (j jobNow) {
	s.T.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if j = s.job(id); j.State != "running" {
			return j
		}
		if time.Now().After(end) {
			s.T.Fatalf("%+v", j)
		}
	}
}

// people is how many the heavy tests are about: PEOPLE sets it.
func people(otherwise int) int {
	n := otherwise
	if v := os.Getenv("PEOPLE"); v != "" {
		_, _ = fmt.Sscan(v, &n)
	}
	return n
}

// TestAttack34AnImportThatIsKilledLeavesAllOrNobody kills the server in the
// middle of an import, and again while that is undone.
func TestAttack34AnImportThatIsKilledLeavesAllOrNobody(t *testing.T) {
	data := t.TempDir()
	n := people(4000)
	s := bootIn(t, data, "--max-import", "1024")
	before := s.Entries()
	body := "[" + strings.Join(peopleOf(t, 8, n), ",") + "]"
	var j jobNow
	if status := s.API("POST", "/identities/import?async=true", body, &j); status != http.StatusAccepted {
		t.Fatal(status)
	}
	for now := j; now.Done < n/3; now = s.job(j.ID) {
		if now.State != "running" {
			t.Fatalf("it ended before it was killed: %+v", now)
		}
	}
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data, "--max-import", "1024")
	after := s.Entries()
	for key, value := range after {
		if strings.HasPrefix(key, "identities/") && before[key] != value || strings.HasPrefix(key, "undo") {
			t.Fatalf("%s is there after the kill", key)
		}
	}
	for key, value := range before {
		if strings.HasPrefix(key, "identities/") && after[key] != value {
			t.Fatalf("%s is not what it was", key)
		}
	}
	if status := s.API("POST", "/identities/import", body, nil); status != http.StatusCreated {
		t.Fatal(status)
	}
	if got := s.counted("generated"); got != n {
		t.Errorf("%d of %d after the import was done again", got, n)
	}
}

// An import of many is judged whole before the first is written, and undone when
// it is cancelled.
func TestAttack32ALargeImportIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(
		filepath.Join(dir, "file.json"),
		[]byte(`[{"national_id":"899700366240","family_name":"DOC","given_name":"KIT"}]`),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	s := boot(t, "--identities", dir, "--max-import", "1024")
	before := s.whole()
	same := func(what string) { t.Helper(); differ(t, what, before, s.whole()) }
	lots := strings.Join(peopleOf(t, 21, batches), ",")
	for name, c := range map[string]struct{ last, code string }{
		"a person of a file": {`{"national_id":"899700366240","family_name":"A","given_name":"B"}`, "identity-from-file"},
		"a real number":      {`{"national_id":"810000000017","family_name":"A","given_name":"B"}`, "national-id-real"},
		"a mistake":          {`{"national_id":"899700237045","family_name":"A"}`, "name-missing"},
		"cut off":            {`{"national_id":"8997`, "import-invalid"},
		"one twice":          {peopleOf(t, 21, 1)[0], "identity-twice"},
	} {
		if got := s.CodeOf("POST", "/identities/import", "["+lots+","+c.last+"]"); got != c.code {
			t.Errorf("%s: %q, want %q", name, got, c.code)
		}
		same(name)
	}
	n := people(3000)
	var j jobNow
	s.API("POST", "/identities/import?async=true", "["+strings.Join(peopleOf(t, 22, n), ",")+"]", &j)
	for now := j; now.Done == 0 && now.State == "running"; now = s.job(j.ID) {
	}
	if status := s.API("DELETE", "/jobs/"+j.ID, "", nil); status != 204 {
		t.Error(status)
	}
	if end := s.ended(j.ID); end.State != "cancelled" || end.Problem.Code != "job-cancelled" {
		t.Errorf("%+v", end)
	}
	same("cancelled")
	if out := s.cli(
		"identities",
		"import",
		written(t, "["+lots+"]"),
	); !strings.Contains(
		out,
		fmt.Sprintf("%d people imported", batches),
	) {
		t.Error(out)
	}
	if got := s.CodeOf("GET", "/jobs/none", ""); got != "job-unknown" {
		t.Error(got)
	}
}

// What is done to many is done to all who can have it done; the others are
// counted with the first reason, whether it is a page's answer or a job.
func TestBulkActionsReachEverybodyOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(
		filepath.Join(dir, "file.json"),
		[]byte(`[{"national_id":"899700366240","family_name":"DOC","given_name":"KIT","tags":["generated"]}]`),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	s := boot(t, "--identities", dir)
	const all = 510 // more than are done before the page answers
	s.cli("identities", "generate", "--count", fmt.Sprint(all), "--seed", "5", "--means", "ecps")
	c := s.ConsoleBrowser()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	bulk := func(form url.Values) string {
		t.Helper()
		resp, err := c.PostForm(s.ConsoleURL+"/identities/bulk", form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header.Get("Location")
	}
	to := bulk(url.Values{"all": {"1"}, "with": {"generated"}, "action": {"tag"}, "tag": {"lot"}})
	id, ok := strings.CutPrefix(to[strings.Index(to, "/jobs/"):], "/jobs/")
	if !ok {
		t.Fatalf("no job: %q", to)
	}
	if end := s.ended(id); end.State != "done" || end.Done != all+1 || end.Total != all+1 {
		t.Errorf("%+v", end)
	}
	page := pageText(t, c, s.ConsoleURL+"/jobs/"+id)
	for _, want := range []string{fmt.Sprintf("%d sur %d", all, all+1), "file.json", "job-back"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	if got := s.counted("lot"); got != all {
		t.Errorf("%d have the tag", got)
	}
	to = bulk(url.Values{"id": {"899700366240", testkit.Doctor, testkit.Nurse}, "action": {"tag"}, "tag": {"three"}})
	if said, _ := url.QueryUnescape(to); !strings.Contains(said, "2 sur 3 — ") || !strings.Contains(said, "file.json") {
		t.Errorf("the few: %s", said)
	}
	for _, action := range []string{"card", "delete"} {
		to = bulk(url.Values{"all": {"1"}, "with": {"lot"}, "action": {action}})
		if end := s.ended(to[strings.Index(to, "/jobs/")+6:]); end.State != "done" || end.Done != all {
			t.Errorf("%s: %+v", action, end)
		}
	}
	if got := s.counted("lot"); got != 0 {
		t.Errorf("%d are left", got)
	}
}

// A command that takes a while says how far it is: in plain lines where there is
// no terminal.
func TestALongImportTellsHowFarItIs(t *testing.T) {
	s := boot(t)
	const n = 3000
	file := written(t, "["+strings.Join(peopleOf(t, 12, n), ",")+"]")
	cmd := exec.Command(binary, "identities", "import", file, "--data", s.data)
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); err != nil || out.String() != fmt.Sprintf("%d people imported\n", n) {
		t.Fatalf("%v %s %s", err, out.String(), told.String())
	}
	if lines := strings.Split(
		strings.TrimSpace(told.String()),
		"\n",
	); len(lines) > 11 ||
		lines[len(lines)-1] != fmt.Sprintf("%d of %d", n, n) {
		t.Errorf("told: %q", told.String())
	}
	var list struct{ Items []jobNow }
	if s.API(
		"GET",
		"/jobs",
		"",
		&list,
	); len(list.Items) != 1 || list.Items[0].State != "done" ||
		list.Items[0].Done != n {
		t.Errorf("%+v", list)
	}
}

// Other writes go on while many people are worked on. With PEOPLE set, how long
// the longest waited is judged too: that needs a machine that does nothing else.
func TestOthersWriteWhileManyPeopleAreWorkedOn(t *testing.T) {
	s := boot(t, "--max-import", "1024")
	n := people(2000)
	body := "[" + strings.Join(peopleOf(t, 31, n), ",") + "]"
	for name, do := range map[string]func() int{
		"generate": func() int {
			return s.Attempt(
				"POST",
				"/identities/generate",
				fmt.Sprintf(`{"count":%d,"seed":30,"quiet":true}`, min(n, 5000)),
				nil,
			)
		},
		"import":   func() int { return s.Attempt("POST", "/identities/import", body, nil) },
		"scenario": func() int { return s.Attempt("POST", "/scenarios", `{"people":`+body+"}", nil) },
		"export":   func() int { return s.Attempt("GET", "/identities/export?format=json", "", nil) },
		"current":  func() int { return s.Attempt("GET", "/scenarios/current?format=json", "", nil) },
	} {
		done := make(chan int, 1)
		began := time.Now()
		go func() { done <- do() }()
		var longest time.Duration
		writes, status := 0, 0
		for status == 0 {
			at := time.Now()
			if got := s.API("PUT", "/identities/"+testkit.Doctor+"/ecps/behaviour", `{"action":"approve"}`, nil); got >= 300 {
				t.Fatalf("%s: a write beside it answers %d", name, got)
			}
			longest = max(longest, time.Since(at))
			writes++
			select {
			case status = <-done:
			default:
			}
		}
		if status >= 300 {
			t.Errorf("%s: %d", name, status)
		}
		t.Logf(
			"%s: %s, %d writes beside it, the longest %s",
			name,
			time.Since(began).Round(time.Millisecond),
			writes,
			longest.Round(time.Millisecond),
		)
		if os.Getenv("PEOPLE") != "" && longest > 100*time.Millisecond {
			t.Errorf("%s: a write waited %s", name, longest)
		}
	}
}
