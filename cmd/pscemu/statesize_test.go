package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkTheWholeContent measures what goes through everything that is
// stored, on a data file: how long it takes, the most memory the emulator took
// meanwhile, and the longest that another write waited. WORLD_PEOPLE says how
// many people there are.
//
//	WORLD_PEOPLE=100000 go test -run - -bench WholeContent -benchtime 1x ./cmd/pscemu
func BenchmarkTheWholeContent(b *testing.B) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("WORLD_PEOPLE"), "2000"))
	if err != nil {
		b.Fatal(err)
	}
	s := startFor(b, "--max-import", "9999")
	for from := 0; from < people; from += 2000 {
		s.must(
			b,
			"POST",
			"/identities/generate",
			strings.NewReader(
				fmt.Sprintf(`{"count":%d,"seed":7,"from":%d,"quiet":true}`, min(2000, people-from), from),
			),
			nil,
		)
	}
	dir := b.TempDir()
	state, backup := filepath.Join(dir, "state.json"), filepath.Join(dir, "backup")
	for _, step := range []struct {
		name, method, path, in, out string
	}{
		{"nothing", "", "", "", ""}, // what a write waits for by itself
		{"GET state", "GET", "/state", "", state},
		{"GET backup", "GET", "/backup", "", backup},
		{"PUT state", "PUT", "/state", state, ""},
		{"PUT backup", "PUT", "/backup", backup, ""},
		{"DELETE state", "DELETE", "/state", "", ""},
	} {
		b.Run(step.name, func(b *testing.B) {
			for b.Loop() {
				s.measure(b, step.method, step.path, step.in, step.out)
			}
		})
	}
}

func startFor(b *testing.B, args ...string) *server {
	t := &testing.T{} // boot only fails with it
	s := bootIn(t, b.TempDir(), args...)
	b.Cleanup(func() { s.stop(os.Kill) })
	return s
}

// measure calls once, while another client writes again and again.
func (s *server) measure(b *testing.B, method, path, in, out string) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID), []byte("5"), 0o600) // the highest mark begins anew
	var longest, memory atomic.Int64
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			memory.Store(max(memory.Load(), int64(s.figureOf("RssAnon"))))
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
			began := time.Now()
			s.must(
				b,
				"PUT",
				"/identities/ANS00000000000001",
				strings.NewReader(
					fmt.Sprintf(
						`{"national_id":"ANS00000000000001","family_name":"BUSY","given_name":"N%d","exercices":[],"behaviour":"ask"}`,
						n,
					),
				),
				nil,
			)
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		}
	}()
	var body io.Reader
	var to io.Writer = io.Discard
	if in != "" {
		f, err := os.Open(in)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		body = f
	}
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		to = f
	}
	if method == "" {
		time.Sleep(5 * time.Second)
	} else {
		s.must(b, method, path, body, to)
	}
	close(stop)
	writes := <-done
	b.ReportMetric(float64(longest.Load())/1e6, "ms/longest-wait")
	b.ReportMetric(float64(writes), "writes")
	b.ReportMetric(s.figureOf("VmHWM")/1024, "MiB-peak") // pages of the data file among them
	b.ReportMetric(float64(memory.Load())/1024, "MiB-own")
	if info, err := os.Stat(out); err == nil {
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-sent")
	}
}

// figureOf is a line of what the system says of the process, in KiB.
func (s *server) figureOf(name string) (kib float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	for line := range bytes.Lines(status) {
		if n, _ := fmt.Sscanf(string(line), name+": %f kB", &kib); n == 1 {
			return kib
		}
	}
	return 0
}

// must calls the control API and wants it done.
func (s *server) must(b *testing.B, method, path string, in io.Reader, out io.Writer) {
	req, err := http.NewRequest(method, s.APIURL+path, in)
	if err != nil {
		b.Fatal(err)
	}
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			req.ContentLength = info.Size()
		}
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		b.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
		return
	}
	if out == nil {
		out = io.Discard
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		b.Error(err)
	}
}
