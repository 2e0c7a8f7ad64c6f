package emulator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/testkit"
)

// entriesOf are the entries of a backup.
func entriesOf(t *testing.T, raw []byte) (out []store.Entry) {
	t.Helper()
	b, err := store.OpenBackup(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	err = b.Each(func(e store.Entry) error {
		out = append(out, store.Entry{Key: e.Key, Value: bytes.Clone(e.Value), Expires: e.Expires})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// backupOf writes entries as a backup whose checksum is right.
func backupOf(t *testing.T, entries []store.Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	b, err := store.NewBackupWriter(&out, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := b.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// damages are ways to spoil a backup, each told by its name.
func damages(good []byte) map[string][]byte {
	random := rand.New(rand.NewPCG(39, 1))
	out := map[string][]byte{
		"empty":             {},
		"the first line":    good[:bytes.IndexByte(good, '\n')+1],
		"without its end":   good[:len(good)-1],
		"twice":             append(bytes.Clone(good), good...),
		"something behind":  append(bytes.Clone(good), 0),
		"a line before":     append([]byte("\n"), good...),
		"another format":    bytes.Replace(good, []byte(`"format":2`), []byte(`"format":3`), 1),
		"a field that is":   bytes.Replace(good, []byte(`"schema"`), []byte(`"schemA"`), 1),
		"zeros in the end":  append(bytes.Clone(good[:len(good)-32]), make([]byte, 32)...),
		"a page of zeros":   slices.Concat(good[:8192], make([]byte, 4096), good[12288:]),
		"two halves turned": slices.Concat(good[len(good)/2:], good[:len(good)/2]),
	}
	for n := range 40 {
		bad := bytes.Clone(good)
		at := random.IntN(len(bad))
		switch n % 4 {
		case 0, 1: // one bit
			bad[at] ^= 1 << random.IntN(8)
		case 2: // a byte goes
			bad = slices.Delete(bad, at, at+1)
		case 3: // a byte comes
			bad = slices.Insert(bad, at, byte(random.IntN(256)))
		}
		out[fmt.Sprintf("change %d at %d", n, at)] = bad
	}
	return out
}

// spoiled are backups whose checksum is right, with one bad entry each.
func spoiled(t *testing.T, good []byte) map[string][]byte {
	t.Helper()
	entries := entriesOf(t, good)
	changed := func(prefix string, change func(*store.Entry)) []byte {
		list := slices.Clone(entries)
		i := slices.IndexFunc(list, func(e store.Entry) bool { return strings.HasPrefix(e.Key, prefix) })
		if i < 0 {
			t.Fatalf("the backup has no %s", prefix)
		}
		list[i].Value = bytes.Clone(list[i].Value)
		change(&list[i])
		return backupOf(t, list)
	}
	// member changes one byte in the middle of a member that holds bytes.
	member := func(name string) func(*store.Entry) {
		return func(e *store.Entry) {
			var fields map[string]json.RawMessage
			var raw []byte
			if err := json.Unmarshal(e.Value, &fields); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(fields[name], &raw); err != nil || len(raw) == 0 {
				t.Fatalf("%s has no %s: %v", e.Key, name, err)
			}
			raw[len(raw)/2] ^= 0x10
			fields[name] = json.RawMessage(testkit.Encoded(t, raw))
			e.Value = []byte(testkit.Encoded(t, fields))
		}
	}
	text := func(from, to string) func(*store.Entry) {
		return func(e *store.Entry) {
			if !bytes.Contains(e.Value, []byte(from)) {
				t.Fatalf("%s has no %s", e.Key, from)
			}
			e.Value = bytes.Replace(e.Value, []byte(from), []byte(to), 1)
		}
	}
	out := map[string][]byte{
		"an authority's certificate":  changed("authorities/el-org", member("cert")),
		"an authority's key":          changed("authorities/el-org", member("key")),
		"the server's authority":      changed("authorities/server", member("cert")),
		"a client's certificate":      changed("certificates/", member("der")),
		"a certificate's key":         changed("certificates/", member("key")),
		"a certificate's state":       changed("certificates/", text(`"state":"valid"`, `"state":"revoked"`)),
		"a signing key":               changed("signing-keys/", member("key")),
		"a signing key's certificate": changed("signing-keys/", member("cert")),
		"no active signing key":       changed("signing-keys/", text(`"active"`, `"passive"`)),
		"the refresh tokens' key": changed(
			"keys/refresh",
			func(e *store.Entry) { e.Value = []byte(`{"kid":"x","key":"AAAA","created_at":"2026-01-01T00:00:00Z"}`) },
		),
		"a person who is no JSON": changed(
			"identities/",
			func(e *store.Entry) { e.Value = e.Value[:len(e.Value)-1] },
		),
		"a person of another number": changed("identities/", text(`"national_id":"`, `"national_id":"9`)),
		"a field that is none":       changed("identities/", text(`"national_id"`, `"nationaI_id"`)),
		"a card of another type":     changed("cards/", text(`"wrong_pins":`, `"wrong_pins":"0","more":`)),
		"a text that is a number": changed(
			"demo-certificate/",
			func(e *store.Entry) { e.Value = []byte(`7`) },
		),
		"a certificate that is gone": changed(
			"demo-certificate/",
			func(e *store.Entry) { e.Value = []byte(`"00ff"`) },
		),
		"the client under another id": changed("clients/", text(`"client_id":"demo"`, `"client_id":"dem0"`)),
		"nothing it knows": backupOf(
			t,
			append(slices.Clone(entries), store.Entry{Key: "zoo/lion", Value: []byte(`{}`)}),
		),
		"a key without a name": backupOf(
			t,
			append(slices.Clone(entries), store.Entry{Key: "zzz", Value: []byte(`{}`)}),
		),
		"an end in the year 1": changed(
			"identities/",
			func(e *store.Entry) { e.Expires = time.Unix(-1, 0) },
		),
		"a certificate of an unknown authority": changed("certificates/", text(`"authority":"`, `"authority":"x`)),
	}
	return out
}

func TestAttack39ADamagedBackupChangesNothing(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]string{"file": "false", "memory": "true"} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartIn(t, t.TempDir(), "memory="+mode)
			good := testkit.SettledBackup(t, s.Ready)
			s.API("PUT", "/clock", `{"offset":"3h"}`, nil)
			s.API("PATCH", "/settings", `{"acr":"eidas3"}`, nil)
			s.API("PUT", "/faults", `{"items":[{"kind":"slow","endpoint":"ciba"}]}`, nil)
			s.AddClient("there", "https://there.example/")
			before := s.Entries()
			all := damages(good)
			maps.Copy(all, spoiled(t, good))
			if len(all) < 60 {
				t.Fatalf("only %d damages", len(all))
			}
			for _, what := range slices.Sorted(maps.Keys(all)) {
				if status, code := testkit.Send(
					t,
					s.Ready,
					"PUT",
					"/backup",
					all[what],
				); status != 400 ||
					code != "backup-unreadable" {
					t.Errorf("%s: %d %s", what, status, code)
				}
			}
			if changed := differing(before, s.Entries()); len(changed) > 0 {
				t.Errorf("changed were %v", changed)
			}
			if left, _ := filepath.Glob(
				filepath.Join(s.Data, "pscemu*[.-]*"),
			); slices.ContainsFunc(
				left,
				func(f string) bool { return !strings.HasSuffix(f, "pscemu.db") },
			) {
				t.Errorf("files are left: %v", left)
			}
			testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "")
			if name == "memory" {
				if status, _ := testkit.Send(t, s.Ready, "PUT", "/backup", good); status != 200 {
					t.Errorf("the good one: %d", status)
				}
				return
			}
			s.Stop()
			s = testkit.StartIn(t, s.Data)
			if s.CodeOf("GET", "/clients/there", "") != "" {
				t.Error("after a restart a client is gone")
			}
			if status, _ := testkit.Send(t, s.Ready, "PUT", "/backup", good); status != 200 {
				t.Errorf("the good one: %d", status)
			}
			if got := s.CodeOf("GET", "/clients/there", ""); got != "client-unknown" {
				t.Errorf("the good one was not restored: %s", got)
			}
			testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "")
		})
	}
}

// A state is refused as a whole: entries, clock, settings and faults stay.
func TestAttack39AStateWithOneBadEntryChangesNothing(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir())
	testkit.SettledBackup(t, s.Ready)
	good := string(testkit.Fetched(t, s.Ready, "/state"))
	s.API("PUT", "/clock", `{"now":"2027-01-02T03:04:05Z","frozen":true}`, nil)
	s.API("PATCH", "/settings", `{"acr":"eidas3"}`, nil)
	s.API("PUT", "/faults", `{"items":[{"kind":"slow","endpoint":"ciba"}]}`, nil)
	before, beside := s.Entries(), lyingBeside(s)
	with := func(entry string) string {
		return strings.TrimSuffix(strings.TrimSpace(good), "]}") + ",\n" + entry + "]}"
	}
	cut := strings.Index(good, `"entries":[`) + len(`"entries":[`)
	for name, bad := range map[string]string{
		"nothing":                ``,
		"no state":               `{"format":1}`,
		"no entries":             good[:cut] + `]}`,
		"cut off":                good[:len(good)/2],
		"something behind":       good + `{}`,
		"another format":         strings.Replace(good, `"format":1`, `"format":2`, 1),
		"a member that is none":  strings.Replace(good, `"format":1`, `"format":1,"more":1`, 1),
		"a member twice":         strings.Replace(good, `"format":1`, `"format":1,"format":1`, 1),
		"a clock behind its end": strings.Replace(good, `"offset":"`, `"offset":"2000000h`, 1),
		"a setting that is none": strings.Replace(good, `"format":1`, `"format":1,"settings":{"nothing":"1"}`, 1),
		"a setting that cannot be": strings.Replace(
			good,
			`"format":1`,
			`"format":1,"settings":{"code-lifetime":"long"}`,
			1,
		),
		"a fault that is none":         strings.Replace(good, `"format":1`, `"format":1,"faults":[{"kind":"no such"}]`, 1),
		"a person who is a number":     with(`{"key":"identities/899700000001","value":7}`),
		"a person who is nobody":       with(`{"key":"identities/899700000001","value":{}}`),
		"a person who is null":         with(`{"key":"identities/899700000001","value":null}`),
		"an entry without a value":     with(`{"key":"identities/899700000001"}`),
		"an entry without a key":       with(`{"value":{}}`),
		"an entry with more":           with(`{"key":"reader/slot","value":"x","more":1}`),
		"an entry that is a list":      with(`[]`),
		"a collection that is unknown": with(`{"key":"animals/cat","value":{}}`),
		"an entry twice":               with(`{"key":"clients/demo","value":{"client_id":"demo"}}`),
		"a key written otherwise":      with(`{"key":"clients/d%65mo2","value":{"client_id":"demo2"}}`),
		"a bad certificate": with(`{"key":"certificates/00ff","value":{"serial":"00ff","profile":"AUTH_CLI",` +
			`"state":"valid","subject":"x","authority":"el-org","not_before":"2026-01-01T00:00:00Z",` +
			`"not_after":"2027-01-01T00:00:00Z","der":"AAAA"}}`),
		"a revocation of nothing": with(`{"key":"revoked-el-org/00ff","value":{"serial":"xyz",` +
			`"revoked_at":"2026-01-01T00:00:00Z"}}`),
		"an end that cannot be": with(`{"key":"reader/slot","value":"x","expires":"9999-01-01T00:00:00Z"}`),
		"an end that is none":   with(`{"key":"reader/slot","value":"x","expires":"soon"}`),
	} {
		status, code := testkit.Send(t, s.Ready, "PUT", "/state", []byte(bad))
		if status < 400 || status > 499 || code == "" {
			t.Errorf("%s: %d %q", name, status, code)
		}
		if now := lyingBeside(s); now != beside {
			t.Errorf("%s changed what lies beside:\n%s\n%s", name, beside, now)
		}
	}
	if changed := differing(before, s.Entries()); len(changed) > 0 {
		t.Errorf("changed were %v", changed)
	}
	// What has ended is no mistake: it is as good as not there.
	ended := with(`{"key":"logins/x","value":{"id":"x"},"expires":"2020-01-01T00:00:00Z"}`)
	if status, code := testkit.Send(t, s.Ready, "PUT", "/state", []byte(ended)); status != 204 {
		t.Errorf("an entry that has ended: %d %s", status, code)
	}
	if lyingBeside(s) == beside || s.Entries()["logins/x"] != "" {
		t.Error("the good state was not restored")
	}
}

// differing are the keys of what differs.
func differing(a, b map[string]string) (out []string) {
	for key := range a {
		if b[key] != a[key] {
			out = append(out, key)
		}
	}
	for key := range b {
		if _, there := a[key]; !there {
			out = append(out, key)
		}
	}
	return out
}

// lyingBeside is what lies beside the entries.
func lyingBeside(s *testkit.Server) string {
	s.T.Helper()
	var state struct {
		Clock            clock.State
		Settings, Faults any
	}
	s.API("GET", "/state", "", &state)
	if !state.Clock.Frozen {
		state.Clock.Now = time.Time{}
	}
	return testkit.Encoded(s.T, state)
}

// Many at once: each is done as a whole or refused, and what is there then is
// one of them.
func TestAttack39RestoresAtOnce(t *testing.T) {
	t.Parallel()
	p := testkit.StartIn(t, t.TempDir())
	testkit.SettledBackup(t, p.Ready)
	var backups, states [][]byte
	for n := range 3 {
		p.Must(
			"POST",
			"/clients",
			map[string]any{"client_id": fmt.Sprint("mark-", n), "redirect_uris": []string{"https://mark.example/"}},
			nil,
		)
		p.Must("POST", "/identities/generate", map[string]any{"count": 5, "seed": n + 1, "quiet": true}, nil)
		backups, states = append(
			backups,
			testkit.Fetched(t, p.Ready, "/backup"),
		), append(states, testkit.Fetched(t, p.Ready, "/state"))
		p.Must("DELETE", "/clients/mark-"+fmt.Sprint(n), nil, nil)
	}
	for round := range 4 {
		var done sync.Map
		var wg sync.WaitGroup
		for n := range 12 {
			wg.Go(func() {
				path, body := "/backup", backups[n%3]
				switch n % 4 {
				case 1:
					path, body = "/state", states[n%3]
				case 3:
					if raw := testkit.Fetched(t, p.Ready, "/backup"); len(entriesOf(t, raw)) < 100 {
						t.Error("a backup during restores has few entries")
					}
					return
				}
				status, code := testkit.Send(t, p.Ready, "PUT", path, body)
				switch {
				case status == 200 || status == 204:
					done.Store(n%3, true)
				case status != 409 || code != "restore-running":
					t.Errorf("%s: %d %s", path, status, code)
				}
			})
		}
		wg.Wait()
		var list struct {
			Items []struct {
				ID string `json:"client_id"`
			}
		}
		p.Must("GET", "/clients?limit=1000", nil, &list)
		var marks []string
		for _, c := range list.Items {
			if strings.HasPrefix(c.ID, "mark-") {
				marks = append(marks, c.ID)
			}
		}
		some := false
		done.Range(func(n, _ any) bool {
			some = some || len(marks) == 1 && marks[0] == fmt.Sprint("mark-", n)
			return true
		})
		if !some {
			t.Errorf("round %d: of several restores %v is there", round, marks)
		}
	}
	p.WholeStore()
}

// halfSent is an upload that stands still half-way.
type halfSent struct {
	net.Conn
	rest []byte
}

func sendHalf(t *testing.T, r emulator.Ready, path string, body []byte) *halfSent {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.ConsoleURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(
		c,
		"PUT /api/v1%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: "+
			"close\r\n\r\n",
		path,
		r.APIToken,
		len(body),
	)
	if _, err := c.Write(body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	return &halfSent{c, body[len(body)/2:]}
}

func (h *halfSent) finish(t *testing.T) string {
	t.Helper()
	if _, err := h.Write(h.rest); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(h)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitN(string(answer), "\r\n", 2)[0]
}

func TestAttack39ASlowUploadBesideAGoodOne(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir())
	empty := testkit.SettledBackup(t, s.Ready)
	s.AddClient("late", "https://late.example/")
	full := testkit.Fetched(t, s.Ready, "/backup")
	slow, cut, state := sendHalf(
		t,
		s.Ready,
		"/backup",
		full,
	), sendHalf(
		t,
		s.Ready,
		"/backup",
		full,
	), sendHalf(
		t,
		s.Ready,
		"/state",
		testkit.Fetched(t, s.Ready, "/state"),
	)
	if status, code := testkit.Send(t, s.Ready, "PUT", "/backup", empty); status != 200 {
		t.Fatalf("the good one: %d %s", status, code)
	}
	if got := s.CodeOf("GET", "/clients/late", ""); got != "client-unknown" {
		t.Errorf("the good one was not restored: %s", got)
	}
	cut.Close()
	testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "")
	for what, upload := range map[string]*halfSent{"backup": slow, "state": state} {
		if got := upload.finish(t); !strings.Contains(got, " 20") {
			t.Errorf("the slow %s: %s", what, got)
		}
		if got := s.CodeOf("GET", "/clients/late", ""); got != "" {
			t.Errorf("the slow %s was not restored: %s", what, got)
		}
		if status, _ := testkit.Send(t, s.Ready, "PUT", "/backup", empty); status != 200 {
			t.Errorf("again: %d", status)
		}
	}
	testkit.Eventually(t, "no file is left of them", func() bool {
		left, _ := filepath.Glob(filepath.Join(s.Data, "pscemu-spool-*"))
		more, _ := filepath.Glob(filepath.Join(s.Data, "pscemu.db.[nf]*"))
		return len(left)+len(more) == 0
	})
	s.Stop()
	s = testkit.StartIn(t, s.Data)
	testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Doctor, "")
}

// Who downloads slowly reads one moment, and nobody waits for them.
func TestAttack39ARestoreDuringASlowDownload(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir())
	empty := testkit.SettledBackup(t, s.Ready)
	s.Must("POST", "/identities/generate", map[string]any{"count": 4000, "seed": 3}, nil)
	s.AddClient("late", "https://late.example/")
	req, _ := http.NewRequest("GET", s.APIURL+"/backup", nil)
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(resp.Body, begin); err != nil {
		t.Fatal(err)
	}
	if status, code := testkit.Send(t, s.Ready, "PUT", "/backup", empty); status != 200 {
		t.Fatalf("the restore: %d %s", status, code)
	}
	if status := s.API("DELETE", "/state", "", nil); status != 204 {
		t.Fatalf("the reset: %d", status)
	}
	rest, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if status, code := testkit.Send(t, s.Ready, "PUT", "/backup", append(begin, rest...)); status != 200 {
		t.Fatalf("what was downloaded: %d %s", status, code)
	}
	if got := s.CodeOf("GET", "/clients/late", ""); got != "" {
		t.Error(got)
	}
}

// What a restore replaced is kept: three of them, none written over.
func TestAttack39WhatARestoreReplacedIsKept(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir())
	good := testkit.SettledBackup(t, s.Ready)
	old := filepath.Join(s.Data, "pscemu.db.before-restore") // an earlier version's
	if err := os.WriteFile(old, []byte("kept by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := func() map[string]string {
		files, _ := filepath.Glob(filepath.Join(s.Data, "pscemu.db.before-2*"))
		out := map[string]string{}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", f, info, err)
			}
			raw, _ := os.ReadFile(f)
			out[f] = fmt.Sprint(len(raw), bytes.Contains(raw, []byte("mark-1")), bytes.Contains(raw, []byte("mark-4")))
		}
		return out
	}
	var all []string
	for n := range 5 {
		s.AddClient(fmt.Sprint("mark-", n), "https://mark.example/")
		before := kept()
		var done struct{ Kept string }
		req, _ := http.NewRequest("PUT", s.APIURL+"/backup", bytes.NewReader(good))
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || testkit.Decode(resp.Body, &done) != nil || resp.StatusCode != 200 || done.Kept == "" {
			t.Fatal(resp, err, done)
		}
		resp.Body.Close()
		file := filepath.Join(s.Data, done.Kept)
		if slices.Contains(all, file) {
			t.Errorf("%s was written over", file)
		}
		all = append(all, file)
		now := kept()
		if now[file] == "" || len(now) != min(n+1, 3) {
			t.Errorf("after %d: %v", n, now)
		}
		for f, what := range now {
			if was, there := before[f]; there && was != what {
				t.Errorf("%s has changed: %s, %s", f, was, what)
			}
		}
	}
	if now := slices.Sorted(maps.Keys(kept())); !slices.Equal(now, all[2:]) {
		t.Errorf("kept are %v of %v", now, all)
	}
	if raw, _ := os.ReadFile(old); string(raw) != "kept by hand" {
		t.Error("a file of an earlier version was touched")
	}
	// A kept file is a data file: in its place, it serves.
	s.Stop()
	if err := os.Rename(all[4], filepath.Join(s.Data, "pscemu.db")); err != nil {
		t.Fatal(err)
	}
	s = testkit.StartIn(t, s.Data)
	if got := s.CodeOf("GET", "/clients/mark-4", ""); got != "" {
		t.Error(got)
	}
}

// A content that cannot serve makes room for the former one again.
func TestAttack39TheFormerContentServesWhenTheNewOneCannot(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir())
	good := testkit.SettledBackup(t, s.Ready)
	s.AddClient("there", "https://there.example/")
	s.API("PUT", "/clock", `{"offset":"3h"}`, nil)
	beside := lyingBeside(s)
	wall := filepath.Join(s.Data, "ready.json") // in the way of what is written last
	if err := errors.Join(os.Remove(wall), os.MkdirAll(filepath.Join(wall, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		method, path string
		body         []byte
	}{{"PUT", "/backup", good}, {"PUT", "/state", testkit.Fetched(t, s.Ready, "/state")}, {"DELETE", "/state", nil}} {
		before := s.Entries()
		if status, _ := testkit.Send(t, s.Ready, try.method, try.path, try.body); status != 500 {
			t.Errorf("%s %s: %d", try.method, try.path, status)
		}
		if changed := differing(before, s.Entries()); len(changed) > 0 {
			t.Errorf("%s %s changed %v", try.method, try.path, changed)
		}
		if now := lyingBeside(s); now != beside {
			t.Errorf("%s %s: beside lies %s", try.method, try.path, now)
		}
		testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "")
	}
	if err := os.RemoveAll(wall); err != nil {
		t.Fatal(err)
	}
	if status, code := testkit.Send(t, s.Ready, "PUT", "/backup", good); status != 200 {
		t.Errorf("when it can: %d %s", status, code)
	}
	s.Stop()
	testkit.StartIn(t, s.Data)
}

// What is signed while another content takes the place of everything is kept
// in none that its authority does not belong to: what is there then can be
// restored again.
func TestAttack39WhatIsMadeDuringARestoreBelongsToItsContent(t *testing.T) {
	t.Parallel()
	p, q := testkit.StartIn(t, t.TempDir()), testkit.StartIn(t, t.TempDir())
	young := testkit.Fetched(t, p.Ready, "/backup") // authorities may still be in the making
	contents := [][]byte{young, testkit.SettledBackup(t, q.Ready), testkit.SettledBackup(t, p.Ready)}
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				status, answer := p.Call("POST", "/certificates", map[string]any{"client_id": "demo"})
				if status != 201 && !(status == 409 && bytes.Contains(answer, []byte("store-replaced"))) {
					t.Errorf("a certificate: %d %s", status, answer)
				}
			}
		})
	}
	for n := range 24 {
		if status, code := testkit.Send(t, p.Ready, "PUT", "/backup", contents[n%3]); status != 200 {
			t.Errorf("restore %d: %d %s", n, status, code)
		}
		if raw := testkit.Fetched(t, p.Ready, "/backup"); n%4 == 0 {
			if status, code := testkit.Send(t, p.Ready, "PUT", "/backup", raw); status != 200 {
				t.Errorf("what was there after restore %d: %d %s", n, status, code)
			}
		}
	}
	close(stop)
	done.Wait()
	if status, code := testkit.Send(t, p.Ready, "PUT", "/backup", testkit.Fetched(t, p.Ready, "/backup")); status != 200 {
		t.Errorf("what was there at the end: %d %s", status, code)
	}
}
