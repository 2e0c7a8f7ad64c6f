package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// What a run leaves is delivered by the next.
func TestAPingIsSentAfterARestart(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	pinged := make(chan string, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		pinged <- string(b)
	}))
	defer endpoint.Close()
	s.API(
		"PUT",
		"/clients/demo",
		`{"client_id":"demo","redirect_uri_policy":"loopback","redirect_uris":[],"backchannel_token_delivery_mode":"ping",`+
			`"backchannel_client_notification_endpoint":"`+endpoint.URL+`"}`,
		nil,
	)
	_, o := s.Backchannel(url.Values{"client_notification_token": {"t"}})
	s.stop(os.Kill)
	s = bootIn(t, data)
	s.API("POST", "/ecps/requests/"+s.Waiting("/ecps/requests")[0].ID+"/approve", "", nil)
	select {
	case body := <-pinged:
		if !strings.Contains(body, o["auth_req_id"].(string)) {
			t.Errorf("the ping holds %s", body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no ping after the restart")
	}
}
