package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// soakFor is how long the soak of anonymous requests lasts: SOAK_MINUTES sets
// it (make soak).
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	v := os.Getenv("SOAK_MINUTES")
	if v == "" {
		return 6 * time.Second
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Minute
}

// Two thousand requests a second by sixteen strangers, each at its own pace.
const (
	anonymousRate = 2000
	strangers     = 16
)

// TestASoakOfAnonymousRequestsInMemoryStaysFlat sends what anybody may send, and
// looks whether memory stays flat from the first third on.
func TestASoakOfAnonymousRequestsInMemoryStaysFlat(t *testing.T) {
	args := []string{"--memory"}
	length := soakFor(t)
	if length < time.Minute {
		args = append(args, "--max-logins", "300", "--journal-logins", "50") // which are reached in the first third
	}
	s := boot(t, args...)
	var done, odd atomic.Int64
	end := time.Now().Add(length)
	var wg sync.WaitGroup
	for n := range strangers {
		wg.Go(func() { s.stranger(n, end, &done, &odd) })
	}
	began := time.Now()
	var thirds [3]float64
	for i := range thirds { // the peak of each: the collector makes a saw of it
		for n := 1; n <= 20; n++ {
			time.Sleep(time.Until(began.Add(length * time.Duration(20*i+n) / 60)))
			thirds[i] = max(thirds[i], s.memory())
		}
		t.Logf(
			"after %s: %d requests, %.1f MiB of memory at most, %d login pages, %.0f goroutines",
			time.Since(began).Round(time.Second),
			done.Load(),
			thirds[i],
			s.OpenLoginPages(),
			s.Figure("go_goroutines"),
		)
	}
	wg.Wait()
	rate := float64(done.Load()) / time.Since(began).Seconds()
	t.Logf("%.0f requests a second", rate)
	if odd.Load() > 0 {
		t.Errorf("%d answers were neither pages nor refusals", odd.Load())
	}
	if last := max(thirds[1], thirds[2]); last > thirds[0]*1.2+32 {
		t.Errorf("memory grew from %.1f to %.1f MiB", thirds[0], last)
	}
	if length >= time.Minute && rate < anonymousRate*0.75 {
		t.Errorf(
			"%.0f requests a second, %d were to be sent: this machine is too slow, or the emulator is",
			rate,
			anonymousRate,
		)
	}
}

// stranger sends requests until the end, at its share of the rate.
func (s *server) stranger(n int, end time.Time, done, odd *atomic.Int64) {
	c := s.HTTP(nil)
	c.Transport.(*http.Transport).DisableKeepAlives = false
	c.Jar, _ = cookiejar.New(nil)
	defer c.CloseIdleConnections()
	next, page := time.Now(), "/login/none"
	for i := 0; time.Now().Before(end); i++ {
		next = next.Add(time.Second * strangers / anonymousRate)
		time.Sleep(time.Until(next))
		resp, err := c.Do(strange(s.BaseURL, page, n, i))
		if err != nil {
			odd.Add(1)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if to := resp.Header.Get("Location"); strings.HasPrefix(to, "/login/") {
			page, _, _ = strings.Cut(to, "?")
		}
		if resp.StatusCode >= 500 {
			odd.Add(1)
		}
		done.Add(1)
	}
}

// strange is one request of a stranger; none is like another.
func strange(base, page string, n, i int) *http.Request {
	unlike := fmt.Sprintf("%d-%d-", n, i)
	form := url.Values{}
	method, path := http.MethodGet, ""
	switch i % 12 {
	case 0, 1, 2:
		path = testkit.AuthorizePath + "&nonce=" + unlike + "&state=" + strings.Repeat("s", i%3000)
	case 3, 4:
		method, path = http.MethodPost, "/auth"
		form, _ = url.ParseQuery(strings.TrimPrefix(testkit.AuthorizePath, "/auth?"))
		form.Set("state", unlike+strings.Repeat("s", i%9000)) // some are too long
	case 5:
		path = page + "?tab=card&q=" + unlike
	case 6:
		method, path, form = http.MethodPost, page+"/ecps", url.Values{"login": {unlike + "8"}}
	case 7:
		path = page + "/card-browser"
	case 8:
		method, path, form = http.MethodPost, "/wallet/contact", url.Values{"login": {"8" + unlike}}
	case 9:
		path = "/nothing/" + unlike
	case 10:
		path = "/wallet/start/activate"
	case 11:
		method, path, form = http.MethodPost, page+"/card", url.Values{"card": {unlike}, "pin": {"1234"}}
	}
	r, err := http.NewRequest(method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}
