package site

import (
	"net/http/httptest"
	"testing"
)

var names = &Names{
	BaseURL: "https://localhost:9443",
	CardURL: "https://localhost:9444",
	Hosts:   []string{"psc.vendor.test"},
}

func TestASiteIsThatOfTheHostItWasAskedUnder(t *testing.T) {
	both := func(rest string) Site { return Site{"https://wallet." + rest, "https://auth." + rest} }
	for host, want := range map[string]Site{
		"localhost:9443":                     {"https://localhost:9443", "https://localhost:9443"},
		"unknown.example":                    {"https://localhost:9443", "https://localhost:9443"},
		"psc.vendor.test:9443":               {"https://psc.vendor.test:9443", "https://psc.vendor.test:9443"},
		"WALLET.bas.psc.esante.gouv.fr":      both("bas.psc.esante.gouv.fr"),
		"auth.esw.esante.gouv.fr:443":        both("esw.esante.gouv.fr"),
		"wallet.bas.esw.esante.gouv.fr:8443": both("bas.esw.esante.gouv.fr:8443"),
	} {
		if got := names.Of(host); got != want {
			t.Errorf("%s: %+v", host, got)
		}
	}
}

func TestALoginStaysUnderTheNameItBeganUnder(t *testing.T) {
	for host, want := range map[string][2]string{
		"localhost:9443":               {"https://localhost:9443", "https://localhost:9444"},
		"127.0.0.1:9443":               {"https://127.0.0.1:9443", "https://127.0.0.1:9444"},
		"[::1]:9443":                   {"https://[::1]:9443", "https://[::1]:9444"},
		"PSC.vendor.test":              {"https://psc.vendor.test", "https://psc.vendor.test:9444"},
		"auth.bas.psc.esante.gouv.fr":  {"https://auth.bas.psc.esante.gouv.fr", "https://auth.bas.psc.esante.gouv.fr:9444"},
		"evil.example":                 {"https://localhost:9443", "https://localhost:9444"},
		"localhost.evil.example:12345": {"https://localhost:9443", "https://localhost:9444"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if got := [2]string{names.Here(r), names.CardOrigin(r)}; got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestOnlyNamesThatArePinnedElsewhereTooArePinned(t *testing.T) {
	const year = "max-age=31536000"
	for _, c := range []struct{ policy, host, want string }{
		{"", "wallet.bas.psc.esante.gouv.fr:9443", year + "; includeSubDomains"},
		{"", "psc.vendor.test", ""},
		{"configured", "psc.vendor.test:9443", year},
		{"configured", "localhost", ""},
		{"configured", "other.test", ""},
		{"off", "wallet.bas.psc.esante.gouv.fr", ""},
	} {
		if got := names.Pin(c.host, c.policy); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestADocumentNamesTheHostThatWasAsked(t *testing.T) {
	got := string(names.Of("auth.esw.esante.gouv.fr").Fill(" {I} {O}/token {B}/auth\n"))
	want := "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet " +
		"https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/protocol/openid-connect/token " +
		"https://wallet.esw.esante.gouv.fr/auth"
	if got != want {
		t.Error(got)
	}
	if HostOf("https://psc.test:1/x") != "psc.test" || HostOf("://") != "" {
		t.Error("the host of a base URL")
	}
}
