package testkit

import (
	"net/http"
	"regexp"
	"strconv"
)

// OpenLoginPages is how many login pages the emulator holds.
func (s *Server) OpenLoginPages() int { return int(s.Figure("pscemu_login_pages_open")) }

// Story is a login's journal, as text.
func (s *Server) Story(id string) string {
	s.T.Helper()
	var l any
	s.API("GET", "/logins/"+id, "", &l)
	return Encoded(s.T, l)
}

// Figure reads one metric without labels.
func (s *Server) Figure(name string) float64 {
	s.T.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(s.Metrics())
	if m == nil {
		s.T.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		s.T.Fatal(err)
	}
	return v
}

// Metrics are all figures of the emulator, as text.
func (s *Server) Metrics() string {
	s.T.Helper()
	resp, err := http.Get(s.ConsoleURL + "/metrics")
	if err != nil {
		s.T.Fatal(err)
	}
	return Text(s.T, resp)
}
