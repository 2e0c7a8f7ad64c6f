package check

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Chromium starts a headless Chromium, for applications whose pages need
// scripts. Each browser is a context of its own, without cookies. stop ends it.
func Chromium(
	ctx context.Context,
	base string,
) (browsers func(context.Context) (Browser, error), stop func(), err error) {
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	allocator, end := chromedp.NewExecAllocator(ctx, options...)
	first, cancel := chromedp.NewContext(allocator)
	stop = func() { cancel(); end() }
	if err := chromedp.Run(first); err != nil {
		stop()
		return nil, nil, fmt.Errorf("chromium does not start: %w", err)
	}
	return func(context.Context) (Browser, error) {
		id, err := window(first)
		if err != nil {
			return nil, err
		}
		tab, leave := chromedp.NewContext(first, chromedp.WithTargetID(id))
		b := &chromium{base: base, tab: tab, close: leave}
		return b, b.watch()
	}, stop, nil
}

// window opens one without cookies. (chromedp's own WithNewBrowserContext asks
// for a tab, which a Chromium of today refuses while such a context has no
// window.)
func window(first context.Context) (target.ID, error) {
	browser := cdp.WithExecutor(first, chromedp.FromContext(first).Browser)
	fresh, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(browser)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(fresh).WithNewWindow(true).Do(browser)
}

// chromium is one tab. It never reaches the login: the request to it is
// stopped, and its URL is what the check wanted.
type chromium struct {
	base  string
	tab   context.Context
	close func()

	mu     sync.Mutex
	status int
	login  string
	failed string
}

// patience is how long a page may take.
const patience = 20 * time.Second

func (b *chromium) watch() error {
	chromedp.ListenTarget(b.tab, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventResponseReceived:
			if e.Type == network.ResourceTypeDocument {
				b.status = int(e.Response.Status)
			}
		case *network.EventLoadingFailed:
			if e.Type == network.ResourceTypeDocument {
				b.failed = e.ErrorText
			}
		case *fetch.EventRequestPaused:
			at := e.Request.URL
			stop := isLogin(at, b.base)
			if stop {
				b.login = at
			}
			go func() { // a listener must not wait for the browser
				if stop {
					_ = chromedp.Run(b.tab, fetch.FailRequest(e.RequestID, network.ErrorReasonAborted))
				} else {
					_ = chromedp.Run(b.tab, fetch.ContinueRequest(e.RequestID))
				}
			}()
		}
	})
	return chromedp.Run(
		b.tab,
		network.Enable(),
		fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: b.base + "*"}}),
	)
}

func (b *chromium) seen() (status int, login, failed string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.login, b.failed
}

func (b *chromium) Open(ctx context.Context, at string) (*Page, error) {
	b.mu.Lock()
	b.status, b.login, b.failed = 0, "", ""
	b.mu.Unlock()
	limited, stop := context.WithTimeout(b.tab, patience)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := chromedp.Run(limited, chromedp.Navigate(at), chromedp.WaitReady("body", chromedp.ByQuery))
	b.settle(limited)
	status, login, failed := b.seen()
	if login != "" {
		return b.page(&Page{URL: login, Login: login}, at)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w %s", at, err, failed)
	}
	p := &Page{Status: status}
	if err := chromedp.Run(
		limited,
		chromedp.Location(&p.URL),
		chromedp.OuterHTML("html", &p.Body, chromedp.ByQuery),
	); err != nil {
		return nil, err
	}
	return b.page(p, p.URL)
}

// settle waits until scripts that go on by themselves have done so: the page's
// text stays the same for a moment, or the login was reached.
func (b *chromium) settle(ctx context.Context) {
	last := ""
	for range 10 {
		var now string
		if chromedp.Run(
			ctx,
			chromedp.Evaluate(`document.readyState + location.href + document.body?.innerText.length`, &now),
		) != nil {
			return
		}
		if _, login, _ := b.seen(); login != "" || now == last && strings.HasPrefix(now, "complete") {
			return
		}
		last = now
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// page adds the cookies of the application's address.
func (b *chromium) page(p *Page, at string) (*Page, error) {
	var all []*network.Cookie
	err := chromedp.Run(b.tab, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		all, err = network.GetCookies().WithURLs([]string{at}).Do(ctx)
		return err
	}))
	for _, c := range all {
		sameSite := map[network.CookieSameSite]http.SameSite{
			network.CookieSameSiteLax:    http.SameSiteLaxMode,
			network.CookieSameSiteStrict: http.SameSiteStrictMode,
			network.CookieSameSiteNone:   http.SameSiteNoneMode,
		}
		p.Cookies = append(
			p.Cookies,
			&http.Cookie{
				Name:     c.Name,
				Value:    c.Value,
				HttpOnly: c.HTTPOnly,
				Secure:   c.Secure,
				SameSite: sameSite[c.SameSite],
			},
		)
	}
	return p, err
}

// Has tells whether the page holds an element.
func (b *chromium) Has(_ context.Context, selector string) (bool, error) {
	var there bool
	return there, chromedp.Run(
		b.tab,
		chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q) !== null", selector), &there),
	)
}

func (b *chromium) Close() { b.close() }
