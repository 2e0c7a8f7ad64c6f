package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/delivery"
)

// post is a world with one sender.
type post struct {
	*delivery.Sender
	t     *testing.T
	store store.Store
	clock *clock.Adjustable
	stop  context.CancelFunc
	ended chan delivery.Delivery
}

func onEachStore(t *testing.T, test func(*testing.T, *post)) {
	for name, open := range map[string]func(*testing.T, clock.Clock) store.Store{
		"memory": func(_ *testing.T, c clock.Clock) store.Store { return store.NewMemory(c) },
		"bolt": func(t *testing.T, c clock.Clock) store.Store {
			s, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock.Adjustable{}
			c.Set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), true)
			test(t, sender(t, open(t, c), c))
		})
	}
}

// sender makes a sender that does not run yet.
func sender(t *testing.T, s store.Store, c *clock.Adjustable) *post {
	ctx, stop := context.WithCancel(context.Background())
	p := &post{
		Sender: delivery.New(ctx, s, c, nil),
		t:      t,
		store:  s,
		clock:  c,
		stop:   stop,
		ended:  make(chan delivery.Delivery, 1000),
	}
	p.OnDone(func(_ context.Context, d delivery.Delivery) { p.ended <- d })
	t.Cleanup(func() { stop(); p.Wait() })
	return p
}

func (p *post) send(client, uri, body string, tries int) {
	p.t.Helper()
	err := p.Send(
		context.Background(),
		delivery.Delivery{Kind: "test", Client: client, URI: uri},
		delivery.Message{ContentType: "text/plain", Body: body, Tries: tries},
	)
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *post) list(client string) []delivery.Delivery {
	p.t.Helper()
	list, _, err := p.List(context.Background(), client, "", 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// end waits for the next delivery that ends.
func (p *post) end() delivery.Delivery {
	p.t.Helper()
	select {
	case d := <-p.ended:
		return d
	case <-time.After(20 * time.Second):
		p.t.Fatal("no delivery ended")
		panic("")
	}
}

// endpoint is a client's server; it hands over each body and answers the status
// that comes back.
func endpoint(t *testing.T, answer func(body string) int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(answer(string(body)))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

func TestWhatIsNotCommittedIsNotDelivered(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		called := make(chan string, 10)
		uri := endpoint(t, func(body string) int { called <- body; return 200 })
		p.Run()
		undone := errors.New("undone")
		err := p.store.Update(context.Background(), func(tx store.Tx) error {
			return errors.Join(
				p.SendIn(tx, delivery.Delivery{Client: "a", URI: uri}, delivery.Message{Body: "undone"}),
				undone,
			)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		p.send("a", uri, "done", 1)
		if d := p.end(); d.State != delivery.Delivered || <-called != "done" || len(called) != 0 ||
			len(p.list("")) != 1 {
			t.Errorf("%+v, %d more calls", d, len(called))
		}
	})
}

func TestADeliveryIsTriedAgainAtItsTimeAndItsBodyMadeAnew(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		bodies := make(chan string, 10)
		uri := endpoint(t, func(body string) int { bodies <- body; return 503 })
		made := 0
		p.Writes("test", func(_ context.Context, d delivery.Delivery, intent json.RawMessage) (string, error) {
			made++
			return d.ID + " " + string(intent) + " " + strconv.Itoa(made), nil
		})
		p.Run()
		err := p.Send(
			context.Background(),
			delivery.Delivery{Kind: "test", Client: "a", URI: uri},
			delivery.Message{Intent: json.RawMessage(`"x"`), Tries: delivery.MaxTries},
		)
		if err != nil {
			t.Fatal(err)
		}
		id := p.list("")[0].ID
		for n, pause := range []time.Duration{0, time.Second, 5 * time.Second, 20 * time.Second} {
			p.clock.Advance(pause)
			if got, want := <-bodies, id+` "x" `+strconv.Itoa(n+1); got != want {
				t.Errorf("try %d: %s, want %s", n+1, got, want)
			}
			for n < 3 && len(p.list("")[0].Attempts) <= n { // until it is noted
				runtime.Gosched()
			}
		}
		if d := p.end(); d.State != delivery.Failed || len(d.Attempts) != 4 || d.Attempts[3].Status != 503 ||
			len(bodies) != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestACallThatTheEndOfTheProgramCutsShortIsMadeByTheNextRun(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		called, hang := make(chan string, 10), make(chan struct{})
		var calls atomic.Int32
		uri := endpoint(t, func(body string) int {
			called <- body
			if calls.Add(1) == 1 {
				<-hang
			}
			return 200
		})
		p.Run()
		p.send("a", uri, "once", 1)
		<-called
		p.stop()
		p.Wait()
		close(hang)
		if d := p.list("")[0]; d.State != delivery.Pending || len(d.Attempts) != 0 {
			t.Errorf("after the end: %+v", d)
		}
		next := sender(t, p.store, p.clock)
		next.Run()
		if d := next.end(); d.State != delivery.Delivered || len(d.Attempts) != 1 {
			t.Errorf("%+v", d)
		}
		next.stop()
		next.Wait()
		third := sender(t, p.store, p.clock)
		third.Run()
		third.send("a", uri, "another", 1)
		third.end()
		if <-called != "once" || <-called != "another" || len(called) != 0 {
			t.Error("what was delivered was delivered again")
		}
	})
}

func TestAServerThatHangsHoldsUpItsOwnMessagesOnlyAndFewCallsAreUnderWay(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		hang := make(chan struct{})
		var now, most atomic.Int32
		slow := endpoint(t, func(string) int {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-hang
			now.Add(-1)
			return 200
		})
		const many = 600 // more than one look shows
		for n := range many {
			p.send("slow", slow, strconv.Itoa(n), 1)
		}
		p.clock.Advance(time.Millisecond)
		quick := endpoint(t, func(string) int { return 204 })
		p.send("quick", quick, "", 1)
		p.Run()
		if d := p.end(); d.Client != "quick" || d.State != delivery.Delivered {
			t.Errorf("first ended %+v", d)
		}
		close(hang)
		for range many {
			if d := p.end(); d.State != delivery.Delivered {
				t.Errorf("%+v", d)
			}
		}
		if most.Load() > 4 {
			t.Errorf("%d calls to one client at once", most.Load())
		}
	})
}

func TestTheLogIsListedNewestFirstByClientAndByPages(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		var want []string
		for n := range 7 {
			p.send([]string{"a", "a/b"}[n%2], "http://127.0.0.1:1/"+strconv.Itoa(n), "", 1)
			want = append([]string{"http://127.0.0.1:1/" + strconv.Itoa(n)}, want...)
			p.clock.Advance(time.Second)
		}
		pages := func(client string) (out []string) {
			for after := ""; ; {
				list, next, err := p.List(context.Background(), client, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range list {
					out = append(out, d.URI)
				}
				if after = next; after == "" {
					return out
				}
			}
		}
		if got := pages(""); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		if got := pages("a/b"); !slices.Equal(got, []string{want[1], want[3], want[5]}) {
			t.Errorf("%v", got)
		}
		if got := pages("c"); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestADeliveryThatIsGoneWhenItsCallEndsStaysGone(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		p.Run()
		uri := endpoint(t, func(string) int {
			err := p.store.Update(context.Background(), func(tx store.Tx) error { // a reset
				all, err := tx.List("", "", 1000)
				for _, e := range all {
					err = errors.Join(err, tx.Delete(e.Key))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return 200
		})
		p.send("a", uri, "", 1)
		other := endpoint(t, func(string) int { return 200 })
		for len(p.list("")) > 0 { // until it is gone
			runtime.Gosched()
		}
		p.send("b", other, "", 1)
		if d := p.end(); d.Client != "b" || len(p.list("")) != 1 {
			t.Errorf("%+v %v", d, p.list(""))
		}
	})
}

func TestDeliveriesOfEarlierVersionsAreListedAndMade(t *testing.T) {
	onEachStore(t, func(t *testing.T, p *post) {
		called := make(chan string, 10)
		uri := endpoint(t, func(body string) int { called <- body; return 200 })
		old := func(id, state string, age time.Duration) string {
			raw, err := json.Marshal(map[string]any{
				"Delivery": map[string]any{
					"id":         id,
					"kind":       "test",
					"client_id":  "a",
					"uri":        uri,
					"state":      state,
					"attempts":   []any{},
					"created_at": p.clock.Now().Add(-age),
				},
				"Message": map[string]any{"content_type": "text/plain", "body": id, "tries": 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		err := p.store.Update(context.Background(), func(tx store.Tx) error {
			return errors.Join(
				tx.Put(
					"deliveries/2AAAAAAAAAAAAAAAAAAAAAAAAA",
					[]byte(old("2AAAAAAAAAAAAAAAAAAAAAAAAA", "pending", time.Second)),
					time.Hour,
				),
				tx.Put(
					"deliveries/ZAAAAAAAAAAAAAAAAAAAAAAAAA",
					[]byte(old("ZAAAAAAAAAAAAAAAAAAAAAAAAA", "delivered", time.Hour)),
					time.Hour,
				),
			)
		})
		for range 2 { // the second time changes nothing
			err = errors.Join(err, delivery.Index(context.Background(), p.store, p.clock))
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Run()
		if d := p.end(); d.State != delivery.Delivered || <-called != "2AAAAAAAAAAAAAAAAAAAAAAAAA" {
			t.Errorf("%+v", d)
		}
		if list := p.list("a"); len(list) != 2 || list[0].CreatedAt.Before(list[1].CreatedAt) || len(p.list("")) != 2 {
			t.Errorf("%+v", list)
		}
	})
}
