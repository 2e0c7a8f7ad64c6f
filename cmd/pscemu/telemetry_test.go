package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestMetricsAreNamedByPrometheusConvention(t *testing.T) {
	s := boot(t)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	rp.UserInfo(testkit.Doctor)
	rp.Login("899700000021") // refuses
	req, _ := http.NewRequest("MADEUP", s.Discovery, nil)
	if resp, err := s.HTTP(nil).Do(req); err != nil {
		t.Fatal(err)
	} else {
		resp.Body.Close()
	}
	out := s.Metrics()
	kinds := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(out, -1) {
		kinds[m[1]] = m[2]
	}
	for name, kind := range kinds {
		if !strings.HasPrefix(name, "pscemu_") {
			continue // the process's own: go_, process_
		}
		if (kind == "counter") != strings.HasSuffix(name, "_total") ||
			kind == "histogram" && !strings.HasSuffix(name, "_seconds") ||
			strings.Contains(name, "_ms") ||
			strings.ToLower(name) != name {
			t.Errorf("%s is a %s", name, kind)
		}
	}
	for _, line := range []string{
		`pscemu_login_events_total{step="token"} 1`,
		`pscemu_login_events_total{step="userinfo"} 1`,
		`pscemu_refusals_total{step="means",code="ecps-refused"} 1`,
		`pscemu_http_requests_total{listener="protocol",route="/auth",method="GET",code="302"} 2`,
		`method="other"`,
		`pscemu_connections_open{listener="protocol"}`,
		"pscemu_store_commits_total ",
		"pscemu_store_used_bytes ",
		"pscemu_login_pages_open 0",
		"pscemu_journal_logins ", "go_goroutines ", "process_resident_memory_bytes ",
		`pscemu_http_request_duration_seconds_bucket{listener="protocol",route="/auth/realms/esante-wallet/protocol/` +
			`openid-connect/token",method="POST",le="+Inf"} 1`,
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no %s", line)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestEveryLogLineOfALoginNamesIt(t *testing.T) {
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, "--log-level", "debug", "--log-format", "json")
	testkit.NewRelyingParty(s.Server, s.DemoCertificate()).UserInfo(testkit.Doctor)
	var list struct {
		Items []struct{ ID string }
	}
	s.API("GET", "/logins", "", &list)
	s.stop(os.Interrupt)
	steps := map[string]bool{}
	for line := range strings.Lines(log.String()) {
		var l struct{ Msg, Login, Step string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if l.Msg == "step" && len(list.Items) == 1 && l.Login == list.Items[0].ID {
			steps[l.Step] = true
		}
	}
	for _, step := range []string{"authorize", "means", "callback", "token", "userinfo"} {
		if !steps[step] {
			t.Errorf("no line of the step %s names the login: %s", step, log.String())
		}
	}
}

// collector receives traces as an OpenTelemetry collector does.
type collector struct {
	*httptest.Server
	mu  sync.Mutex
	got []byte
}

func TestTracesFollowTheStandardVariables(t *testing.T) {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.URL.Path == "/v1/traces" && r.Header.Get("X-Tenant") == "a b" && json.Valid(body) {
			c.got = append(c.got, body...)
		}
	}))
	defer c.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=ci")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	s := boot(t)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	kept := rp.Tokens(testkit.Doctor, "")
	req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
	kept.SetAuthHeader(req)
	req.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := s.HTTP(nil).Do(req); err != nil {
		t.Fatal(err)
	}
	var login struct{ Items []struct{ ID string } }
	s.API("GET", "/logins", "", &login)
	s.stop(os.Interrupt)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, want := range []string{`"traceId":"0af7651916cd43dd8448eb211c80319c"`,
		`"parentSpanId":"b7ad6b7169203331"`,
		`"stringValue":"ci"`,
		`"name":"POST /auth/realms/esante-wallet/protocol/openid-connect/token"`,
		`"stringValue":"` + login.Items[0].ID + `"`, "github.com/ory/fosite"} {
		if !strings.Contains(string(c.got), want) {
			t.Errorf("no %s in %s", want, c.got)
		}
	}
	for _, secret := range []string{kept.AccessToken, kept.RefreshToken, s.DemoClient.ClientSecret, "code="} {
		if strings.Contains(string(c.got), secret) {
			t.Errorf("a trace holds %s", secret)
		}
	}
}

func TestTraceVariablesThatCannotBeFollowedAreNamed(t *testing.T) {
	for variable, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL":        "grpc",
		"OTEL_TRACES_EXPORTER":               "zipkin",
		"OTEL_EXPORTER_OTLP_HEADERS":         "novalue",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4317",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
			t.Setenv(variable, value)
			if out, code := serves(t, t.TempDir(), nil); code != exitFailed || !strings.Contains(out, variable) {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}
