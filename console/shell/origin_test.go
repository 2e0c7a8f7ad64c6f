package shell

import (
	"net/http/httptest"
	"testing"
)

func TestWhereARequestComesFrom(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		want   Origin
	}{
		"a program":                   {nil, FromUnknown},
		"a typed address":             {map[string]string{"Sec-Fetch-Site": "none"}, FromPerson},
		"an own page":                 {map[string]string{"Sec-Fetch-Site": "same-origin"}, FromOwn},
		"an own form":                 {map[string]string{"Origin": "http://127.0.0.1:9440"}, FromOwn},
		"an old browser's own page":   {map[string]string{"Referer": "http://127.0.0.1:9440/x"}, FromOwn},
		"an old browser's other port": {map[string]string{"Referer": "http://127.0.0.1:94401/x"}, FromForeign},
		"a name that begins alike":    {map[string]string{"Referer": "http://127.0.0.1:9440.evil.example/"}, FromForeign},
		"another port":                {map[string]string{"Sec-Fetch-Site": "same-site"}, FromForeign},
		"another site":                {map[string]string{"Sec-Fetch-Site": "cross-site"}, FromForeign},
		"a word of tomorrow":          {map[string]string{"Sec-Fetch-Site": "same-planet"}, FromForeign},
		"no origin":                   {map[string]string{"Origin": "null"}, FromForeign},
		"an empty origin":             {map[string]string{"Origin": ""}, FromForeign},
		"another origin, own site": {map[string]string{"Origin": "http://127.0.0.1:3000",
			"Sec-Fetch-Site": "same-origin"}, FromForeign},
		"TLS": {map[string]string{"Origin": "https://127.0.0.1:9440"}, FromForeign},
	} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:9440/", nil)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if got := OriginOf(r); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
