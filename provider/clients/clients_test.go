package clients_test

import (
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// registered is a registration that is right, for tests to make wrong.
func registered(change func(*clients.Client)) *clients.Client {
	c := &clients.Client{ID: "app", Name: "Mon application", RedirectURIs: []string{"https://app.example/cb"}}
	if change != nil {
		change(c)
	}
	return c
}

func registry(t *testing.T) *clients.Registry {
	t.Helper()
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	kept := store.NewMemory(&clock.Adjustable{})
	t.Cleanup(func() { _ = kept.Close() })
	return clients.New(kept, config.NewLive(loaded))
}

func TestARegistrationThatCannotBeRightIsRefusedByItsField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clients.Client)
		want   problem.Code
	}{
		"no id":             {func(c *clients.Client) { c.ID = "" }, problem.ClientIDInvalid},
		"an id with spaces": {func(c *clients.Client) { c.ID = "a b" }, problem.ClientIDInvalid},
		"an unknown policy of redirects": {
			func(c *clients.Client) { c.RedirectURIPolicy = "any" }, problem.RedirectPolicyInvalid,
		},
		"no redirect URI":     {func(c *clients.Client) { c.RedirectURIs = nil }, problem.RedirectURIsMissing},
		"a relative one":      {func(c *clients.Client) { c.RedirectURIs = []string{"/cb"} }, problem.RedirectURIInvalid},
		"one with a fragment": {func(c *clients.Client) { c.RedirectURIs[0] += "#x" }, problem.RedirectURIInvalid},
		"one of a program":    {func(c *clients.Client) { c.RedirectURIs[0] = "app:/cb" }, problem.RedirectURIInvalid},
		"one with credentials": {
			func(c *clients.Client) { c.RedirectURIs[0] = "https://a:b@c/d" },
			problem.RedirectURIInvalid,
		},
		"a relative logout": {func(c *clients.Client) { c.BackchannelLogoutURI = "out" }, problem.RedirectURIInvalid},
		"an unknown response type": {
			func(c *clients.Client) { c.ResponseTypes = []string{"cod"} }, problem.ResponseTypeInvalid,
		},
		"an unknown grant type": {
			func(c *clients.Client) { c.GrantTypes = []string{"password"} }, problem.GrantTypeInvalid,
		},
		"an unknown delivery mode": {
			func(c *clients.Client) { c.DeliveryMode = "push" }, problem.DeliveryModeInvalid,
		},
		"ping to nowhere": {
			func(c *clients.Client) { c.DeliveryMode = clients.Ping }, problem.NotificationEndpointMissing,
		},
		"a secret that mTLS makes useless": {func(c *clients.Client) {
			c.Secret, c.Policies = "s", config.Overrides{"client-auth": clients.MTLS}
		}, problem.ClientSecretUseless},
		"an unknown policy": {
			func(c *clients.Client) { c.Policies = config.Overrides{"nosuch": "x"} }, problem.PolicyUnknown,
		},
	} {
		if err := registered(c.change).Validate(); !problem.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := registered(nil).Validate(); err != nil {
		t.Errorf("a right one: %v", err)
	}
}

func TestAClientUsesTheFlowsOfItsRegistration(t *testing.T) {
	plain := registered(nil)
	hybrid := registered(func(c *clients.Client) {
		c.ResponseTypes, c.GrantTypes = []string{"code id_token"}, []string{clients.AuthorizationCode}
	})
	ciba := registered(func(c *clients.Client) { c.DeliveryMode = clients.Poll })
	for name, c := range map[string]struct{ got, want bool }{
		"code by default":              {plain.AllowsResponse("code"), true},
		"nothing else by default":      {plain.AllowsResponse("token"), false},
		"what was registered":          {hybrid.AllowsResponse("code id_token"), true},
		"not code then":                {hybrid.AllowsResponse("code"), false},
		"refresh by default":           {plain.AllowsGrant(clients.RefreshToken), true},
		"no refresh unless registered": {hybrid.AllowsGrant(clients.RefreshToken), false},
		"CIBA with a delivery mode":    {ciba.AllowsGrant(clients.CIBA), true},
		"no CIBA without one":          {plain.AllowsGrant(clients.CIBA), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if plain.Label() != "Mon application" || (&clients.Client{ID: "x"}).Label() != "x" {
		t.Error("people see the name, else the id")
	}
}

func TestBrowsersAreSentToRegisteredAddressesOnly(t *testing.T) {
	exact := registered(func(c *clients.Client) { c.PostLogoutRedirectURIs = []string{"https://app.example/out"} })
	loopback := registered(func(c *clients.Client) { c.RedirectURIPolicy, c.RedirectURIs = clients.Loopback, nil })
	for uri, want := range map[string][2]bool{
		"https://app.example/cb":         {true, false},
		"https://app.example/cb/":        {false, false},
		"https://app.example/CB":         {false, false},
		"http://localhost:8080/any":      {false, true},
		"http://127.0.0.1/x?y=z":         {false, true},
		"https://localhost/x":            {false, false},
		"http://localhost.example/x":     {false, false},
		"http://localhost/../x":          {false, false},
		"http://localhost/%2e%2e/x":      {false, false},
		"http://localhost\\@evil.test/x": {false, false},
	} {
		if got := [2]bool{exact.AllowsRedirect(uri), loopback.AllowsRedirect(uri)}; got != want {
			t.Errorf("%s: %v, want %v", uri, got, want)
		}
	}
	if !exact.AllowsPostLogout("https://app.example/out") || exact.AllowsPostLogout("https://app.example/cb") {
		t.Error("addresses after a logout are registered for themselves")
	}
	for origin, want := range map[string][2]bool{
		"https://app.example":      {true, false},
		"https://app.example:8443": {false, false},
		"http://localhost:3000":    {false, true},
		"":                         {false, false},
	} {
		if got := [2]bool{exact.AllowsOrigin(origin), loopback.AllowsOrigin(origin)}; got != want {
			t.Errorf("origin %q: %v, want %v", origin, got, want)
		}
	}
}

func TestTheNearestRegisteredAddressIsNamedWithTheDifference(t *testing.T) {
	c := registered(func(c *clients.Client) {
		c.RedirectURIs = []string{"https://app.example/cb", "http://127.0.0.1:8080/cb"}
	})
	for uri, want := range map[string]problem.Phrase{
		"https://app.example/cb/":     problem.DifferentSlash,
		"https://APP.example/cb":      problem.DifferentCase,
		"http://app.example/cb":       problem.DifferentScheme,
		"https://app.example:8443/cb": problem.DifferentPort,
		"http://localhost:8080/cb":    problem.DifferentLoopback,
		"https://app.example/cb?x=1":  problem.DifferentQuery,
		"https://app.example/cb#x":    problem.DifferentFragment,
		"https://u:p@app.example/cb":  problem.DifferentUser,
		"https://app.example/other":   problem.DifferentPath,
		"https://other.example/cb":    problem.DifferentHost,
	} {
		if near, by := c.NearestRedirect(uri); near == "" || by != want {
			t.Errorf("%s: %s by %s, want %s", uri, near, by, want)
		}
	}
	if near, by := c.NearestRedirect("ftp://nothing.test/alike/at/all"); near != "" || by != "" {
		t.Errorf("nothing alike: %s %s", near, by)
	}
}

func TestAClientIsCreatedOnceChangedAndDeleted(t *testing.T) {
	r, ctx := registry(t), t.Context()
	c := registered(nil)
	if err := r.Create(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := r.Create(ctx, registered(nil)); !problem.Is(err, problem.ClientExists) {
		t.Errorf("created twice: %v", err)
	}
	changed, err := r.Change(ctx, "app", func(c *clients.Client) error { c.Name = "Autre"; return nil })
	if err != nil || changed.Name != "Autre" {
		t.Errorf("changed: %+v %v", changed, err)
	}
	_, err = r.Change(ctx, "app", func(c *clients.Client) error { c.ID = "else"; return nil })
	if !problem.Is(err, problem.IDDiffers) {
		t.Errorf("another id: %v", err)
	}
	if n, err := r.Count(ctx, 10); err != nil || n != 1 {
		t.Errorf("%d clients, %v", n, err)
	}
	if err := r.Delete(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(ctx, "app"); !problem.Is(err, problem.ClientUnknown) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := r.Get(ctx, "app"); !problem.Is(err, problem.ClientUnknown) {
		t.Errorf("after its end: %v", err)
	}
}

func TestAClientThatNeedsASecretGetsOne(t *testing.T) {
	r := registry(t)
	for policy, secret := range map[string]bool{clients.MTLS: false, "secret": true, "either": true} {
		c := registered(func(c *clients.Client) { c.Policies = config.Overrides{"client-auth": policy} })
		if err := r.Put(t.Context(), c); err != nil || (c.Secret != "") != secret {
			t.Errorf("%s: secret %q, %v", policy, c.Secret, err)
		}
	}
}

func TestAPatchChangesTheMembersItNames(t *testing.T) {
	_, err := clients.ParsePatch([]byte(
		`{"client_name":null,"name":"Neuf","redirect_uris":["https://new.example/cb"],"policies":{"acr":"eidas2"}}`))
	if !problem.Is(err, problem.ClientMemberUnknown) {
		t.Errorf("a member that a registration has not: %v", err)
	}
	patch, err := clients.ParsePatch([]byte(
		`{"name":"Neuf","redirect_uris":["https://new.example/cb"],"policies":{"acr":"eidas2","pkce":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := registered(func(c *clients.Client) {
		c.Secret, c.Policies = "kept", config.Overrides{"acr": "eidas1", "pkce": "x", "cnf": "true"}
	})
	if err := patch.Apply(c); err != nil {
		t.Fatal(err)
	}
	if c.Name != "Neuf" || c.Secret != "kept" || c.RedirectURIs[0] != "https://new.example/cb" ||
		len(c.Policies) != 2 || c.Policies["acr"] != "eidas2" || c.Policies["cnf"] != "true" {
		t.Errorf("%+v", c)
	}
	for _, raw := range []string{`[]`, `null`, `{`, `"x"`} {
		if _, err := clients.ParsePatch([]byte(raw)); !problem.Is(err, problem.BodyInvalid) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := (clients.Patch{"redirect_uris": 7}).Apply(c); !problem.Is(err, problem.BodyInvalid) {
		t.Errorf("a number for a list: %v", err)
	}
}
