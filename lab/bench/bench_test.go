package bench_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/lab/bench"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/pscemutest"
)

// TestMain lets this program be the process behind a limit, as pscemu is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, bench.FloorCommand) {
		if err := bench.ServeFloor(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// application is a vendor's server at an emulator.
func application(t *testing.T, e *pscemutest.Emulator) *bench.Application {
	t.Helper()
	client := e.NewClient("https://app.test/callback")
	a := &bench.Application{
		ClientID:    client.ID,
		Secret:      client.Secret,
		SecretIn:    "post",
		RedirectURI: client.RedirectURI,
		Scope:       "openid scope_all",
		Roots:       e.Roots(),
		Certificate: &client.Certificate,
		Workers:     2,
	}
	if err := a.Discover(t.Context(), e.Discovery); err != nil {
		t.Fatal(err)
	}
	return a
}

// people are two persons of an emulator, with the first card of each.
func people(t *testing.T, e *pscemutest.Emulator) *bench.People {
	t.Helper()
	out := &bench.People{}
	for range 2 {
		id := e.NewPerson("10")
		var cards struct {
			Items []struct{ Serial, PIN string }
		}
		e.Call("GET", "/cards?national_id="+id, nil, &cards)
		out.All = append(out.All, bench.Person{NationalID: id, Card: cards.Items[0].Serial, PIN: cards.Items[0].PIN})
	}
	return out
}

func TestALoginByEveryMeansIsComplete(t *testing.T) {
	e := pscemutest.Start(t)
	a, who := application(t, e), people(t, e)
	var registered map[string]any
	e.Call("GET", "/clients/"+a.ClientID, nil, &registered)
	registered["backchannel_token_delivery_mode"] = "poll"
	e.Call("PUT", "/clients/"+a.ClientID, registered, nil)
	for name, login := range map[string]func(context.Context) error{
		"door":         a.Login(bench.Door(who, "")),
		"door by card": a.Login(bench.Door(who, "card")),
		"e-CPS":        a.Login(bench.ECPS(who)),
		"card":         a.Login(bench.Card(who)),
		"test":         a.Login(bench.Test(who)),
		"forms":        a.Login(bench.Forms(url.Values{"login": {who.All[0].NationalID}})),
		"CIBA":         a.CIBA(who),
	} {
		if err := login(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		e.Verify(a.ClientID, "mtls", "token=1", "userinfo=1", "no-refusal")
	}
}

func TestAnErrorSaysWhereALoginEndedWithoutWhatDiffers(t *testing.T) {
	for want, fault := range map[string]faults.Fault{
		"id-token-nonce":           {Kind: faults.KindNonceWrong},
		"id-token-signature":       {Kind: faults.KindSignatureWrong},
		"userinfo-subject":         {Kind: faults.KindOtherPerson},
		"callback-state":           {Kind: faults.KindStateWrong},
		"callback: access_denied":  {Kind: faults.KindCallbackError},
		"token: 400 invalid_grant": {Kind: faults.KindCodeWrong},
		"token: EOF":               {Kind: faults.KindCut, Endpoint: faults.AtToken},
	} {
		e := pscemutest.Start(t)
		a, who := application(t, e), people(t, e)
		e.Fault(fault)
		err := a.Login(bench.Door(who, ""))(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "127.0.0.1:") {
			t.Errorf("%s: %v, want %q", fault.Kind, err, want)
		}
	}
}

func TestAProviderThatIsNoneIsRefused(t *testing.T) {
	op := httptest.NewServer(http.NotFoundHandler())
	defer op.Close()
	a := &bench.Application{}
	for _, at := range []string{op.URL, "http://127.0.0.1:1/.well-known/openid-configuration"} {
		if err := a.Discover(t.Context(), at); err == nil || !strings.Contains(err.Error(), "discovery") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestTheClosedLoopCountsWhatSucceedsAndEachError(t *testing.T) {
	var n atomic.Int64
	broken := errors.New("broken")
	told := int64(0)
	r, err := bench.Run(t.Context(), bench.Plan{
		Workers:  2,
		Duration: 300 * time.Millisecond,
		Tell:     func(_, _ time.Duration) { atomic.AddInt64(&told, 1) },
		PIDs:     []int{os.Getpid()},
	}, func(context.Context) error {
		if n.Add(1)%4 == 0 {
			return broken
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Loop != "closed" || r.Count == 0 || r.Errors["broken"] == 0 || r.P50 > r.P99 || r.P99 > r.Max ||
		r.PerSecond <= 0 || int64(r.Count+r.Errors["broken"]) != n.Load() || atomic.LoadInt64(&told) == 0 {
		t.Errorf("%+v of %d", r, n.Load())
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && r.RSS == 0 {
		t.Error("the memory of a process that runs is 0")
	}
}

func TestTheOpenLoopBeginsWhenALoginIsDue(t *testing.T) {
	r, err := bench.Run(t.Context(), bench.Plan{Rate: 200, Duration: 300 * time.Millisecond},
		func(context.Context) error { return nil })
	if err != nil || r.Loop != "open" || r.Count == 0 || r.InTime <= 0 || r.InTime > 1 {
		t.Errorf("%v %+v", err, r)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := bench.Run(stopped, bench.Plan{Workers: 1, Duration: time.Hour}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestTheLimitIsMeasuredBesideTheLogins(t *testing.T) {
	r, err := bench.Run(t.Context(), bench.Plan{Workers: 1, Duration: 300 * time.Millisecond, Limit: true},
		func(context.Context) error { return nil })
	if err != nil || r.Limit == nil || r.Limit.Count == 0 || len(r.Limit.Errors) > 0 {
		t.Fatalf("%v %+v", err, r)
	}
}

func TestTheFloorEndsWithItsInput(t *testing.T) {
	in, stop := io.Pipe()
	out, hello := io.Pipe()
	done := make(chan error)
	go func() { done <- bench.ServeFloor(in, hello) }()
	var said map[string]any
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(said)); !slices.Equal(got, []string{"address", "ca", "key"}) {
		t.Errorf("it says %v", got)
	}
	address, _ := said["address"].(string)
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	stop.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
