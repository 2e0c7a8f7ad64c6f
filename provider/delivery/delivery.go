// Package delivery tells clients' servers what happened — a CIBA login that was
// answered, a logout — at the addresses they registered, and keeps a log of it.
package delivery

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pscemu/clock"
	"pscemu/store"
)

// State is where a delivery stands.
type State string

// The states; all but Pending are final.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// Attempt is one call.
type Attempt struct {
	Time   time.Time `json:"time"`
	Status int       `json:"status,omitempty"`
	Error  string    `json:"error,omitempty"`
}

// Delivery is one message for one client.
type Delivery struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // ciba-ping, backchannel-logout
	Client    string    `json:"client_id"`
	LoginID   string    `json:"login_id,omitempty"`
	URI       string    `json:"uri"`
	State     State     `json:"state"`
	Attempts  []Attempt `json:"attempts"`
	CreatedAt time.Time `json:"created_at"`
}

// Message is what is sent; it holds secrets and is never shown.
type Message struct {
	ContentType   string `json:"content_type"`
	Authorization string `json:"authorization,omitempty"`
	Body          string `json:"body"`
	Tries         int    `json:"tries"`
}

// entry is a delivery as it is stored.
type entry struct {
	Delivery Delivery `json:"delivery"`
	Message  Message  `json:"message"`
}

var entries = store.Collection[entry]("deliveries")

// kept is how long the log remembers a delivery.
const kept = 24 * time.Hour

// pauses lie between the tries.
var pauses = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second}

// MaxTries is the most a message may be tried.
const MaxTries = 4

// Sender delivers.
type Sender struct {
	store  store.Store
	clock  clock.Clock
	client *http.Client

	ctx  context.Context
	work sync.WaitGroup
}

// New makes a sender that stops when ctx ends. roots are trusted for https.
func New(ctx context.Context, s store.Store, c clock.Clock, roots *x509.CertPool) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: noLinkLocal}
	return &Sender{store: s, clock: c, ctx: ctx, client: &http.Client{Timeout: 5 * time.Second,
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// noLinkLocal keeps registered names from leading to a machine's metadata
// services, whatever they resolve to.
func noLinkLocal(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(strings.SplitN(host, "%", 2)[0]); ip == nil || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsMulticast() || ip.IsUnspecified() {
		return fmt.Errorf("address %s is not called", host)
	}
	return nil
}

// Send notes the delivery and begins with it; it goes on by itself.
func (s *Sender) Send(ctx context.Context, d Delivery, m Message) error {
	d.ID, d.State, d.CreatedAt, d.Attempts = rand.Text(), Pending, s.clock.Now(), []Attempt{}
	e := entry{d, m}
	if err := entries.Save(ctx, s.store, d.ID, e, kept); err != nil {
		return err
	}
	s.work.Go(func() { s.deliver(e) })
	return nil
}

// Resume goes on with what an earlier run left.
func (s *Sender) Resume() error {
	all, err := entries.Page(s.ctx, s.store, "", 10_000)
	for _, e := range all {
		if e.Delivery.State == Pending {
			s.work.Go(func() { s.deliver(e) })
		}
	}
	return err
}

// Wait returns when nothing is under way any more.
func (s *Sender) Wait() { s.work.Wait() }

// List returns the log, newest first; client "" means all.
func (s *Sender) List(ctx context.Context, client string) ([]Delivery, error) {
	all, err := entries.Page(ctx, s.store, "", 10_000)
	out := []Delivery{}
	for _, e := range all {
		if client == "" || e.Delivery.Client == client {
			out = append(out, e.Delivery)
		}
	}
	slices.SortFunc(out, func(a, b Delivery) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, err
}

func (s *Sender) deliver(e entry) {
	for {
		if n := len(e.Delivery.Attempts); n > 0 {
			select {
			case <-time.After(pauses[min(n, len(pauses))-1]):
			case <-s.ctx.Done():
				return // stays pending: Resume goes on
			}
		}
		a := s.try(e)
		e.Delivery.Attempts = append(e.Delivery.Attempts, a)
		switch {
		case a.Status/100 == 2:
			e.Delivery.State = Delivered
		case len(e.Delivery.Attempts) >= min(max(e.Message.Tries, 1), MaxTries):
			e.Delivery.State = Failed
		}
		if err := entries.Save(context.WithoutCancel(s.ctx), s.store, e.Delivery.ID, e, kept); err != nil {
			slog.Error("delivery log", "error", err)
			return
		}
		if e.Delivery.State != Pending {
			return
		}
	}
}

// try calls once: redirects are not followed, and no more of the answer is
// read than its beginning.
func (s *Sender) try(e entry) Attempt {
	a := Attempt{Time: s.clock.Now()}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, e.Delivery.URI, strings.NewReader(e.Message.Body))
	if err == nil {
		req.Header.Set("Content-Type", e.Message.ContentType)
		if e.Message.Authorization != "" {
			req.Header.Set("Authorization", e.Message.Authorization)
		}
		var resp *http.Response
		if resp, err = s.client.Do(req); err == nil {
			a.Status = resp.StatusCode
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			_ = resp.Body.Close()
		}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which the entry names
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
