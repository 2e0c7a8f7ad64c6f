package testkit

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Flood posts one body n times, eight at once, and wants this status.
func (s *Server) Flood(n int, path, body string, want int) {
	s.T.Helper()
	c := s.HTTP(nil)
	c.Transport.(*http.Transport).DisableKeepAlives = false
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = 8
	defer c.CloseIdleConnections()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range n / 8 {
				resp, err := c.Post(
					s.BaseURL+path,
					"application/x-www-form-urlencoded",
					strings.NewReader(strings.ReplaceAll(body, "{n}", fmt.Sprintf("%d-%d", worker, i))),
				)
				if err != nil {
					s.T.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != want {
					s.T.Errorf("%s: %s", path, resp.Status)
					return
				}
			}
		})
	}
	wg.Wait()
}
