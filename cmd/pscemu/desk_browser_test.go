package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"pscemu.invalid/pscemu/internal/testkit"
)

var testOrder = testkit.Fields{
	"denomination": "Editeur",
	"adresse":      "1 rue des Essais",
	"code_postal":  "75013",
	"commune":      "PARIS",
	"siret":        "00000001815646",
	"nom":          "A",
	"prenom":       "B",
	"fonction":     "QA",
	"telephone":    "+33639980001",
	"email":        "a@exemple.invalid",
	"date":         "2026-11-24",
	"signature":    "A B",
}

// The integration kit by F414, as nobody in particular.
func TestBrowserTheKitIsOrderedByF414AsNobodyInParticular(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	fill := []chromedp.Action{
		chromedp.Navigate(s.ConsoleURL + "/orders?actor=liberal"),
		visible("form-F414"),
		shot("orders"),
		press("form-F414"),
		visible("order-form"),
	}
	for name, value := range testOrder.With(testkit.Fields{"kit": "integration"}) {
		fill = append(fill, chromedp.SetValue(hook("field."+name), value, chromedp.ByQuery))
	}
	var state string
	var cards int
	do(
		t,
		ctx,
		append(
			fill,
			shot("order-form"),
			press("order-submit"),
			visible("order-state"),
			chromedp.Text(hook("order-state"), &state, chromedp.ByQuery),
			chromedp.Evaluate(`document.querySelectorAll("[data-testid=order-card]").length`, &cards),
			shot("order"),
		)...)
	if state != "received" || cards != 5 {
		t.Errorf("%s with %d cards", state, cards)
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/orders/new?form=F301&actor=industriel"),
		visible("order-form"),
		chromedp.SetValue(hook("field.siret"), testkit.VendorSIRET, chromedp.ByQuery),
		chromedp.SetValue(hook("field.nom"), "A", chromedp.ByQuery),
		chromedp.SetValue(hook("field.prenom"), "B", chromedp.ByQuery),
		chromedp.SetValue(
			hook("field.justification"),
			"x",
			chromedp.ByQuery,
		),
		chromedp.SetValue(hook("order-by"), testkit.Nurse, chromedp.ByQuery),
		press("order-submit"),
		visible("order-reason"),
		shot("order-refused"),
	)
	if got := textOf(t, ctx, "order-reason"); !strings.Contains(got, "CDA") || !strings.Contains(got, "F101") {
		t.Errorf("the refusal: %s", got)
	}
}

// F101 → CDA → F301 → CPA, on the pages.
func TestBrowserFromF101ToACPA(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	fill := func(form string, f testkit.Fields, by string) []chromedp.Action {
		out := []chromedp.Action{
			chromedp.Navigate(s.ConsoleURL + "/orders?actor=industriel"),
			visible("form-" + form),
			press("form-" + form),
			visible("order-form"),
		}
		for name, value := range f {
			out = append(out, chromedp.SetValue(hook("field."+name), value, chromedp.ByQuery))
		}
		if by != "" {
			out = append(out, chromedp.SetValue(hook("order-by"), by, chromedp.ByQuery))
		}
		return append(out, press("order-submit"), visible("order-card"), press("order-card"), visible("card-id"))
	}
	var head, agent, face string
	do(
		t,
		ctx,
		append(
			fill("F101", testkit.HeadOf.With(testkit.Fields{"siret": testkit.VendorSIRET}), ""),
			chromedp.TextContent(hook("card-id"), &head, chromedp.ByQuery),
		)...)
	do(
		t,
		ctx,
		append(
			fill("F301", testkit.StaffOf.With(testkit.Fields{"siret": testkit.VendorSIRET}), head),
			chromedp.TextContent(hook("card-id"), &agent, chromedp.ByQuery),
			chromedp.TextContent(hook("card-face"), &face, chromedp.ByQuery),
		)...)
	if !strings.HasPrefix(
		head,
		"5"+testkit.VendorSIRET+"/CDA",
	) || !strings.HasPrefix(agent, "5"+testkit.VendorSIRET+"/CPA") ||
		!strings.Contains(face, "CPA") ||
		!strings.Contains(face, "SPÉCIMEN") {
		t.Errorf("%s, %s, %s", head, agent, face)
	}
}

// A card holder at the desk: the CPA is refused at TOM with the reason, made
// mandataire by F502 and let in; orders, takes back; orders a certificate and
// binds it.
func TestBrowserTheDeskForCardHolders(t *testing.T) {
	s := boot(t)
	d := testkit.Desk{Server: s.Server}
	head, agent := d.Vendor()
	s.AddClient("app-vendeur", testkit.CallbackURL)
	ctx := chrome(t, s, "")
	enter := func(c testkit.Card) {
		t.Helper()
		s.API("PUT", "/reader", `{"card":"`+c.Serial+`"}`, nil)
		do(
			t,
			ctx,
			chromedp.Navigate(s.ConsoleURL+"/desk"),
			press("desk-start"),
			visible("login-page"),
			press("tab-card"),
			visible("card-choice"),
			chromedp.SendKeys("#pin", c.PIN, chromedp.ByQuery),
			press("submit-card"),
			visible("desk-by"),
		)
	}
	enter(agent)
	if got := textOf(t, ctx, "tom-refused"); !strings.Contains(got, "CDE") || !strings.Contains(got, "F502") {
		t.Errorf("TOM says %q", got)
	}
	d.Must(
		d.Order(
			"F502",
			"industriel",
			head.NationalID,
			testkit.Fields{"siret": testkit.VendorSIRET, "mandataires": agent.NationalID, "action": "désigner"},
		),
	)
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		visible("tom"),
		shot("desk"),
		typed("tom-nom", "NOUVEAU"),
		typed("tom-prenom", "AGENT"),
		typed("tom-justification", "essais"),
		press("tom-order"),
		visible("order-state"),
	)
	if got := textOf(t, ctx, "order-state"); got != "received" {
		t.Errorf("the order is %s", got)
	}
	var fleet int
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		visible("fleet-card"),
		chromedp.Evaluate(`document.querySelectorAll("[data-testid=fleet-card]").length`, &fleet),
		typed("certificate-service", "Service du bureau"),
		press("certificate-order"),
		visible("ordered-certificate"),
		chromedp.SetValue(
			hook("bind-client"),
			"app-vendeur",
			chromedp.ByQuery,
		),
		press("bind"),
		visible("bound-dn"),
		shot("client"),
	)
	if got := textOf(t, ctx, "bound-dn"); fleet != 3 || !strings.Contains(got, "CN=Service du bureau") {
		t.Errorf("%d cards in the fleet; bound %q", fleet, got)
	}
	// Somebody by e-CPS is not let in.
	other := chrome(t, s, "")
	do(
		t,
		other,
		chromedp.Navigate(s.ConsoleURL+"/desk"),
		press("desk-start"),
		visible("login-page"),
		typed("national-id", testkit.Doctor),
		press("submit-ecps"),
		visible("error"),
	)
	if got := textOf(t, other, "error"); !strings.Contains(got, "desk-wants-card") {
		t.Errorf("by e-CPS: %s", got)
	}
	do(t, other, chromedp.Navigate(s.ConsoleURL+"/certificates"), visible("certificates"), shot("certificates"))
}
