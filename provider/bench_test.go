package provider

import (
	"net/http/httptest"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/provider/clients"
)

// BenchmarkJudgeAuthorize is the parameters of an authorize request.
func BenchmarkJudgeAuthorize(b *testing.B) {
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		b.Fatal(err)
	}
	policy := config.NewLive(loaded).Policies(nil, nil)
	client := &clients.Client{ID: "demo", RedirectURIPolicy: clients.Loopback}
	for b.Loop() {
		r := httptest.NewRequest(
			"GET",
			"/auth?response_type=code&client_id=demo&scope=openid%20scope_all"+
				"&acr_values=eidas1&state=s&nonce=n&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcallback"+
				"&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
			nil,
		)
		form, err := readForm(r)
		if err != nil {
			b.Fatal(err)
		}
		if refusal := judged(client, form, policy); refusal != nil ||
			redirectProblem(client, form.Get("redirect_uri")) != nil {
			b.Fatal(refusal)
		}
	}
}
