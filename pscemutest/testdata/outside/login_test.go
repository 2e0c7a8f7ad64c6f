// Package outside is a module of somebody else's: it tests its own application
// against an emulator that it imports.
package outside

import (
	"encoding/json"
	"net/url"
	"testing"

	"pscemu.invalid/pscemu/pscemutest"
)

func TestADoctorLogsIn(t *testing.T) {
	e := pscemutest.Start(t, "strict=false")
	client := e.NewClient("http://localhost/callback")
	doctor := e.NewPerson("10")
	request := url.Values{
		"response_type": {"code"},
		"client_id":     {client.ID},
		"redirect_uri":  {client.RedirectURI},
		"scope":         {"openid scope_all"},
		"acr_values":    {"eidas1"},
		"state":         {"s"},
		"nonce":         {"n"},
	}
	back, err := url.Parse(e.LogIn(e.BaseURL+"/auth?"+request.Encode(), doctor))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.HTTPClient(client.Certificate).PostForm(
		e.Issuer+"/protocol/openid-connect/token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {client.ID},
			"code":         {back.Query().Get("code")},
			"redirect_uri": {client.RedirectURI},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.IDToken == "" {
		t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	e.Verify(client.ID, "no-refusal")
}
