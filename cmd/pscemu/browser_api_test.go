package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// The page of the control API calls it with the session that the console gave
// this browser; its policy lets nothing else be loaded or called.
func TestBrowserThePageOfTheAPITriesACall(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	do(t, ctx,
		chromedp.Navigate(s.ConsoleURL+"/api#getIdentity"),
		chromedp.WaitVisible(`#getIdentity form.try button`, chromedp.ByQuery), // opened by its address
		chromedp.Click(`#getIdentity form.try button`, chromedp.ByQuery),
		chromedp.Poll(`document.querySelector("#getIdentity pre").textContent.startsWith("200 OK") &&
			document.querySelector("#getIdentity pre").textContent.includes('"national_id": "899790011177"')`, nil),
		chromedp.Navigate(s.ConsoleURL+"/api#setClock"),
		chromedp.WaitVisible(`#setClock form.try button`, chromedp.ByQuery),
		chromedp.Click(`#setClock form.try button`, chromedp.ByQuery),
		chromedp.Poll(`document.querySelector("#setClock pre").textContent.includes('"offset": "10m0s"')`, nil),
		shot("api"),
	)
}
