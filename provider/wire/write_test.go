package wire

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

func TestARefusalSaysWhyUnlessStrict(t *testing.T) {
	strict, asked := false, ""
	w := &Writer{Strict: func() bool { return strict },
		Why: func(_ echo.Context, err error) string { asked = problem.From(err).Code; return "" }}
	for _, c := range []struct {
		strict         bool
		reason         error
		want, explains string
	}{
		{false, nil, `"error_description":"Code not valid"`, "code-unknown"},
		{false, errors.New("it is long gone"), `"error_description":"Code not valid: it is long gone"`, "internal"},
		{true, errors.New("it is long gone"), `"error_description":"Code not valid"`, "internal"},
	} {
		strict = c.strict
		rec := httptest.NewRecorder()
		ctx := echo.New().NewContext(httptest.NewRequest("POST", "/token", nil), rec)
		if err := w.Refuse(ctx, Of("code-unknown"), c.reason); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(rec.Body.String(), c.want) || rec.Code != 400 || asked != c.explains ||
			rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %d %s %v %s", c, rec.Code, rec.Body, rec.Header(), asked)
		}
	}
}

func TestAnUnknownRowIsAnErrorOfTheServer(t *testing.T) {
	if Of("nothing").Key != "server-error" || Find("nothing") != nil || Find("code-used").Key != "code-used" {
		t.Error("rows are mixed up")
	}
}

func TestARefusalQuotesWhatCame(t *testing.T) {
	r := Refused(problem.AuthorizeScope.Got("openid nothing"))
	p := r.Explained()
	if r.Text != "Invalid scopes: openid nothing" || p.Received != "openid nothing" || p.Code != "authorize-scope" {
		t.Errorf("%+v %+v", r, p)
	}
	found := Because(problem.CIBAUser, problem.IdentityUnknown.Got("1"))
	expected := problem.IdentityUnknown.Of().Expected
	if found.Reason.Received != "identity-unknown 1" || found.Reason.Expected != expected ||
		found.Error != "unknown_user_id" {
		t.Errorf("%+v", found)
	}
}

func TestParametersKeepTheirOrderAndTheirForm(t *testing.T) {
	var p Params
	p.Add("error_description", "« é »")
	p.Add("state", "")
	p.Add("exp", "12")
	p.Add("s", `a"b`)
	p = p.Spelt()
	if got := p.AddedTo("https://app/cb?x=1"); got != "https://app/cb?x=1&error_description=%27e%27&exp=12&s=a%22b" {
		t.Error(got)
	}
	raw, err := json.Marshal(p)
	if want := `{"error_description":"'e'","exp":12,"s":"a\"b"}`; err != nil || string(raw) != want {
		t.Errorf("%s %v", raw, err)
	}
	if got := Challenge("", ""); got != `Bearer realm="esante-wallet"` {
		t.Error(got)
	}
	got := Challenge("invalid_token", `no "token"`)
	if got != `Bearer realm="esante-wallet", error="invalid_token", error_description="no 'token'"` {
		t.Error(got)
	}
}
