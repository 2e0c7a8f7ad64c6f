package provider

import (
	"slices"
	"testing"

	"pscemu.invalid/pscemu/internal/web"
)

func TestEachRouteNamesTheHandlerThatAnswersIt(t *testing.T) {
	routes := Routes()
	for _, want := range []web.Route{
		{Method: "GET", Path: "/auth", Listener: "protocol", Room: "provider", Handler: "authorizeEndpoint"},
		{Method: "POST", Path: RealmPath + "/protocol/openid-connect/token", Listener: "protocol", Room: "provider",
			Handler: "tokenEndpoint"},
		{Method: "POST", Path: "/login/:id/ecps", Listener: "protocol", Room: "provider", Handler: "phoneLogin"},
		{Method: "GET", Path: "/wallet/devices", Listener: "protocol", Room: "provider/portal", Handler: "devices"},
		{Method: "GET", Path: "/card", Listener: "card", Room: "provider", Handler: "cardOrigin"},
		{Method: "GET", Path: "/static/*", Listener: "card", Room: "provider", Handler: "assets"},
	} {
		if !slices.Contains(routes, want) {
			t.Errorf("%+v is not among %+v", want, routes)
		}
	}
}
