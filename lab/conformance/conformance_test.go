package conformance_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/lab/conformance"
	"pscemu.invalid/pscemu/pscemutest"
)

// prepared is an emulator with what the checks need.
func prepared(t *testing.T, settings ...string) (*pscemutest.Emulator, *conformance.Target, func()) {
	t.Helper()
	e := pscemutest.Start(t, settings...)
	c, err := api.Open(e.APIURL, e.APIToken, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	target, cleanup, err := conformance.Prepare(t.Context(), c, e.Issuer, e.Roots())
	if err != nil {
		t.Fatal(err)
	}
	return e, target, cleanup
}

// run makes every check.
func run(t *conformance.Target) (all []conformance.Result, count map[conformance.Verdict]int) {
	count = map[conformance.Verdict]int{}
	conformance.Run(t, func(r conformance.Result) {
		all = append(all, r)
		count[r.Verdict]++
	})
	return all, count
}

func TestEveryCheckThatAppliesPassesAndTheEmulatorIsAsBefore(t *testing.T) {
	t.Parallel()
	e, target, cleanup := prepared(t)
	all, count := run(target)
	for _, r := range all {
		if r.Verdict == conformance.Failed || r.Verdict != conformance.Passed && r.Note == "" {
			t.Errorf("%+v", r)
		}
	}
	if count[conformance.Passed] < 80 {
		t.Errorf("%v", count)
	}
	cleanup()
	var clients struct {
		Items []struct {
			ID string `json:"client_id"`
		}
	}
	e.Call("GET", "/clients", nil, &clients)
	for _, c := range clients.Items {
		if strings.HasPrefix(c.ID, "conformance-") {
			t.Errorf("the client %s is left", c.ID)
		}
	}
	var b bytes.Buffer
	conformance.Print(&b, all)
	if !strings.Contains(b.String(), " 0 failed") || !strings.Contains(b.String(), "oidcc-basic-certification-test-plan") {
		t.Errorf("the table: %s", b.String())
	}
}

func TestAProviderThatDoesWrongFails(t *testing.T) {
	t.Parallel()
	e, target, cleanup := prepared(t)
	defer cleanup()
	e.Call("PUT", "/faults", map[string]any{"items": []map[string]any{{"kind": "nonce-wrong"}}}, nil)
	all, count := run(target)
	if count[conformance.Failed] < 10 {
		t.Errorf("with wrong nonces: %v", count)
	}
	for _, r := range all {
		if r.Name == "oidcc-server" && (r.Verdict != conformance.Failed || !strings.Contains(r.Note, "nonce")) {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhatCannotBePreparedIsTakenBack(t *testing.T) {
	t.Parallel()
	e, _, cleanup := prepared(t)
	defer cleanup()
	c, err := api.Open(e.APIURL, e.APIToken, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, undo, err := conformance.Prepare(stopped, c, e.Issuer, e.Roots()); err == nil {
		t.Error("it went on though it was stopped")
	} else {
		undo()
	}
}
