package api_test

import (
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack49TheClockRefusesWhatItCannotShow(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for body, want := range map[string]string{
		// The table's ends.
		`{"now":"2000-01-01T00:00:00Z"}`:               "",
		`{"now":"2200-01-01T00:00:00Z","frozen":true}`: "",
		`{"now":"1999-12-31T23:59:59Z"}`:               "clock-out-of-range",
		`{"now":"2200-01-01T00:00:01Z"}`:               "clock-out-of-range",
		`{"now":"9999-12-31T23:59:59Z"}`:               "clock-out-of-range",
		`{"now":"9999-12-31T23:59:59Z","frozen":true}`: "clock-out-of-range",
		`{"now":"0001-01-01T00:00:00Z"}`:               "clock-out-of-range",
		`{"now":"1969-12-31T23:59:59Z","frozen":true}`: "clock-out-of-range",
		`{"offset":"2000000h"}`:                        "clock-out-of-range",
		`{"offset":"-2000000h"}`:                       "clock-out-of-range",
		`{"advance":"2562047h47m16s"}`:                 "clock-out-of-range",
		`{"advance":"-2562047h47m16s"}`:                "clock-out-of-range",
		`{"offset":"99999999999h"}`:                    "offset-invalid",
		`{"advance":"99999999999h"}`:                   "offset-invalid",
		`{"offset":""}`:                                "offset-invalid",
		`{"offset":"soon"}`:                            "offset-invalid",
		`{"advance":"10"}`:                             "offset-invalid",
		`{"now":"10000-01-01T00:00:00Z"}`:              "clock-time-invalid",
		`{"now":"tomorrow"}`:                           "clock-time-invalid",
		`{"now":""}`:                                   "clock-time-invalid",
		// What says nothing, or two things.
		`{}`:              "clock-change-empty",
		`null`:            "clock-change-empty",
		`{"offset":null}`: "clock-change-empty",
		`{"now":"2030-01-01T00:00:00Z","offset":"10m"}`:               "clock-contradictory",
		`{"now":"2030-01-01T00:00:00Z","advance":"10m"}`:              "clock-contradictory",
		`{"offset":"1m","advance":"10m"}`:                             "clock-contradictory",
		`{"offset":"1m","advance":"1m","now":"2030-01-01T00:00:00Z"}`: "clock-contradictory",
		`{"ofset":"10m"}`:                   "body-invalid",
		`{"now":1893456000}`:                "body-invalid",
		`{"frozen":"yes"}`:                  "body-invalid",
		`{"frozen":true}`:                   "",
		`{"frozen":false}`:                  "",
		`{"offset":"10m","frozen":true}`:    "",
		`{"advance":"-10m","frozen":false}`: "",
		`{"offset":"-1h"}`:                  "",
	} {
		s.API("DELETE", "/clock", "", nil)
		before := s.ClockNow()
		var p map[string]any
		status := s.API("PUT", "/clock", body, &p)
		code, _ := p["code"].(string)
		if code != want || want != "" && (status != 400 || p["expected"] == nil) {
			t.Errorf("%s: %d %v, want %q", body, status, p, want)
		}
		if after := s.ClockNow(); want != "" && after.Sub(before).Abs() > time.Minute {
			t.Errorf("%s: refused, and yet it shows %s", body, after)
		}
	}
	s.API("DELETE", "/clock", "", nil)
	// Step by step it comes to the end and no further.
	for range 4 {
		s.API("PUT", "/clock", `{"advance":"876000h"}`, nil)
	}
	if at := s.ClockNow(); at.Year() < 2100 || at.Year() > 2200 {
		t.Errorf("it shows %s", at)
	}
}

// At both ends of the range a whole login works: nothing wraps.
func TestAttack49ALoginWorksAtBothEndsOfTheRange(t *testing.T) {
	for name, offset := range map[string]time.Duration{
		"the latest": time.Until(time.Date(2199, 12, 30, 0, 0, 0, 0, time.UTC)),
		"long ago":   time.Until(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PSCEMU_CLOCK_OFFSET", offset.Round(time.Second).String())
			s := testkit.Start(t, "refresh-token-lifetime=438000h")
			rp := testkit.NewRelyingParty(s, s.DemoCertificate())
			token := rp.Tokens(testkit.Nurse, "n")
			if got := s.BearerStatus(token.AccessToken); got != 200 || token.RefreshToken == "" {
				t.Errorf("UserInfo: %d", got)
			}
			if a := s.Introspect(token.RefreshToken); a["active"] != true {
				t.Errorf("the refresh token: %v", a)
			}
		})
	}
}
