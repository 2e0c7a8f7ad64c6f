package ecps_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// world is a service with what is under it.
type world struct {
	*ecps.Phones
	t         *testing.T
	store     store.Store
	clock     *clock.Adjustable
	directory *identities.People
	settings  *config.Live
}

// noon is when the tests' clocks stand still.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// onEachStore runs a test on a memory store and on a data file.
func onEachStore(t *testing.T, test func(t *testing.T, w *world)) {
	for name, open := range map[string]func(*testing.T, clock.Clock) store.Store{
		"memory": func(_ *testing.T, c clock.Clock) store.Store { return store.NewMemory(c) },
		"bolt":   func(t *testing.T, c clock.Clock) store.Store { return openFile(t, filepath.Join(t.TempDir(), "db"), c) },
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock.Adjustable{}
			c.Set(noon, true)
			test(t, newWorld(t, open(t, c), c))
		})
	}
}

func openFile(t *testing.T, path string, c clock.Clock) store.Store {
	t.Helper()
	s, err := store.OpenBolt(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newWorld(t *testing.T, s store.Store, c *clock.Adjustable) *world {
	t.Helper()
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, clock: c, directory: identities.New(s), settings: config.NewLive(loaded)}
	w.Phones = ecps.New(s, c, w.directory, outbox.New(s, c), w.settings, "http://127.0.0.1/phone")
	return w
}

// person makes the nth person, who is asked, with the code 1234.
func (w *world) person(n int) string {
	w.t.Helper()
	i := (&identities.Generator{Seed: 5}).Person(n)
	i.Behaviour.Action = identities.Ask
	if err := w.directory.Put(context.Background(), i); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Activate(context.Background(), i.NationalID, "1234"); err != nil {
		w.t.Fatal(err)
	}
	return i.NationalID
}

func (w *world) ask(id string) *ecps.Request {
	w.t.Helper()
	r, err := w.Start(context.Background(), ecps.Ask{NationalID: id, Client: "A"})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) state(id string) ecps.State {
	w.t.Helper()
	r, err := w.Request(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.State
}

func (w *world) device(id string) *ecps.Device {
	w.t.Helper()
	d, err := w.Device(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) waiting(f ecps.Filter) []ecps.Request {
	w.t.Helper()
	f.PendingOnly = true
	list, _, err := w.Requests(context.Background(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// fifty does something fifty times at once and counts the outcomes by code, ""
// for success.
func fifty(do func(n int) error) map[string]int {
	out, start := map[string]int{}, make(chan struct{})
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			<-start
			code := ""
			if err := do(n); err != nil {
				code = problem.From(err).Code
			}
			mu.Lock()
			defer mu.Unlock()
			out[code]++
		})
	}
	close(start)
	all.Wait()
	return out
}

// settledCount counts, in the transactions themselves, how often a request was
// settled.
var settledCount = store.Collection[int]("test-settled")

func (w *world) countSettled() {
	w.OnSettled(func(tx store.Tx, r ecps.Request) error {
		n, err := settledCount.Maybe(tx, r.ID)
		return errors.Join(err, settledCount.Put(tx, r.ID, n+1, store.Forever))
	})
}

func (w *world) settled(id string) int {
	w.t.Helper()
	n, err := settledCount.LoadMaybe(context.Background(), w.store, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestFiftyActivationsAtOnceLeaveOneDeviceInForce(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		first := w.device(id).ID
		if got := fifty(func(int) error { _, err := w.Activate(ctx, id, "4321"); return err }); got[""] != 50 {
			t.Fatal(got)
		}
		former, err := w.Former(ctx, id)
		if err != nil || len(former) != 50 {
			t.Fatalf("%d former devices: %v", len(former), err)
		}
		seen := map[string]bool{w.device(id).ID: true}
		for _, d := range former {
			if seen[d.ID] || d.Ended != "replaced" || d.Code != "" || d.TOTPSecret != "" {
				t.Errorf("%+v", d)
			}
			seen[d.ID] = true
		}
		if !seen[first] {
			t.Error("the first device is not among the former ones")
		}
	})
}

func TestFiftyCompletionsOfOneActivationMakeOneDevice(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		a, err := w.StartActivation(ctx, id, ecps.ByCard)
		if err != nil {
			t.Fatal(err)
		}
		got := fifty(func(int) error {
			_, err := w.Complete(ctx, ecps.Completion{QR: a.QR, Code: "4321"})
			return err
		})
		if got[""] != 1 || got["ecps-activation-used"] != 49 {
			t.Error(got)
		}
		if former, err := w.Former(ctx, id); err != nil || len(former) != 1 || w.device(id).Code != "4321" {
			t.Errorf("%v %v", former, err)
		}
	})
}

func TestFiftyWrongSMSCodesAtOnceEndTheActivation(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		a, err := w.StartActivation(ctx, id, ecps.ByContact)
		if err != nil {
			t.Fatal(err)
		}
		got := fifty(func(int) error {
			_, err := w.Complete(ctx, ecps.Completion{QR: a.QR, SMS: "wrong", Code: "4321"})
			return err
		})
		if got["ecps-sms-wrong"] != ecps.MaxSMSTries || got["ecps-activation-dead"] != 50-ecps.MaxSMSTries {
			t.Error(got)
		}
	})
}

func TestFiftyAnswersToOneRequestHaveOneEffect(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		w.countSettled()
		ctx, id := context.Background(), w.person(1)
		r := w.ask(id)
		got := fifty(func(n int) error {
			var err error
			switch n % 3 {
			case 0:
				_, err = w.Approve(ctx, r.ID, ecps.Response{Code: "1234", Number: r.Number})
			case 1:
				_, err = w.Refuse(ctx, r.ID, "")
			default:
				_, err = w.Answer(ctx, r.ID, ecps.Cancelled)
			}
			return err
		})
		if got[""] != 1 || got["ecps-request-settled"] != 49 || w.settled(r.ID) != 1 {
			t.Errorf("%v, settled %d times", got, w.settled(r.ID))
		}
	})
}

func TestFiftyWrongCodesAtOnceCountThree(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		r := w.ask(id)
		got := fifty(func(int) error {
			_, err := w.Approve(ctx, r.ID, ecps.Response{Code: "0000", Number: r.Number})
			return err
		})
		if got["ecps-code-wrong"] != ecps.MaxWrongCodes || got["ecps-blocked"] != 50-ecps.MaxWrongCodes {
			t.Error(got)
		}
		if d := w.device(id); d.WrongCodes != ecps.MaxWrongCodes || w.state(r.ID) != ecps.Pending {
			t.Errorf("%+v %s", d, w.state(r.ID))
		}
	})
}

func TestFiftyRequestsAtOnceLeaveAsManyAsMayWait(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		if err := w.Prepare(ctx, id, identities.Behaviour{Action: identities.Refuse}); err != nil {
			t.Fatal(err)
		}
		got := fifty(func(int) error { _, err := w.Start(ctx, ecps.Ask{NationalID: id}); return err })
		// One was answered as prepared and waits no more.
		if got[""] != maxPending+1 || got["ecps-too-many"] != 50-maxPending-1 {
			t.Error(got)
		}
		if n := len(w.waiting(ecps.Filter{NationalID: id})); n != maxPending {
			t.Errorf("%d wait", n)
		}
		all, _, err := w.Requests(ctx, ecps.Filter{NationalID: id})
		refused := 0
		for _, r := range all {
			if r.State == ecps.Refused {
				refused++
			}
		}
		if err != nil || refused != 1 {
			t.Errorf("%d refused: %v", refused, err)
		}
	})
}

func TestWhatWasPreparedIsUsedUpWithTheRequestItIsFor(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		var last *ecps.Request
		for range maxPending {
			last = w.ask(id)
		}
		if err := w.Prepare(ctx, id, identities.Behaviour{Action: identities.Unreachable}); err != nil {
			t.Fatal(err)
		}
		left := func() int {
			list, err := w.Prepared(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if _, err := w.Start(ctx, ecps.Ask{NationalID: id}); !problem.Is(err, "ecps-too-many") || left() != 1 {
			t.Errorf("one too many: %v, %d prepared", err, left())
		}
		if _, err := w.Answer(ctx, last.ID, ecps.Refused); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Start(ctx, ecps.Ask{NationalID: id}); !problem.Is(err, "ecps-unreachable") || left() != 0 {
			t.Errorf("unreachable: %v, %d prepared", err, left())
		}
		if w.ask(id).State != ecps.Pending {
			t.Error("the next is not asked")
		}
	})
}

func TestWhoWasDeletedMeanwhileAnswersNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		r := w.ask(id)
		a, err := w.StartActivation(ctx, id, ecps.ByCard)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.directory.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"approve":    second(w.Approve(ctx, r.ID, ecps.Response{Code: "1234", Number: r.Number})),
			"complete":   second(w.Complete(ctx, ecps.Completion{QR: a.QR, Code: "4321"})),
			"activate":   second(w.Activate(ctx, id, "4321")),
			"prepare":    w.Prepare(ctx, id, identities.Behaviour{Action: identities.Approve}),
			"activation": second(w.StartActivation(ctx, id, ecps.ByCard)),
		} {
			if !problem.Is(err, "identity-unknown") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if w.device(id).Code != "1234" || w.state(r.ID) != ecps.Pending {
			t.Error("something was changed")
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestThePhoneThatIsInForceAnswers(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		r := w.ask(id)
		if _, err := w.Activate(ctx, id, "9876"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Approve(
			ctx,
			r.ID,
			ecps.Response{Code: "1234", Number: r.Number},
		); !problem.Is(
			err,
			"ecps-code-wrong",
		) {
			t.Errorf("the former phone's code: %v", err)
		}
		if _, err := w.Approve(ctx, r.ID, ecps.Response{Code: "9876", Number: r.Number}); err != nil {
			t.Errorf("the new one's: %v", err)
		}
	})
}

func TestActivationsAreCountedTheSameForWhoeverAsks(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		known, nobody := w.person(1), (&identities.Generator{Seed: 5}).Person(2).NationalID
		for n := range ecps.MaxActivations + 1 {
			for id, want := range map[string]string{known: "", nobody: "identity-unknown"} {
				if n == ecps.MaxActivations {
					want = "ecps-activation-too-many"
				}
				_, err := w.StartActivation(ctx, id, ecps.ByContact)
				if err != nil && problem.From(err).Code != want || err == nil && want != "" {
					t.Errorf("try %d: %v, want %q", n+1, err, want)
				}
			}
		}
		if _, err := w.StartActivation(
			ctx,
			fmt.Sprintf("8%0100000d", 1),
			ecps.ByContact,
		); !problem.Is(
			err,
			"identity-unknown",
		) {
			t.Errorf("an id of 100 KB: %.80v", err)
		}
	})
}
