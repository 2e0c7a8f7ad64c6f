package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// HTTPBrowsers makes browsers that are HTTP clients: they follow redirects and
// keep cookies, and run no script. base is the emulator's address.
func HTTPBrowsers(base string, roots *x509.CertPool) func(context.Context) (Browser, error) {
	return func(context.Context) (Browser, error) {
		jar, err := cookiejar.New(nil)
		return &httpBrowser{
			base: base,
			client: &http.Client{
				Jar:           jar,
				Timeout:       30 * time.Second,
				Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
		}, err
	}
}

type httpBrowser struct {
	base   string
	client *http.Client
	set    map[string]*http.Cookie // as they were set, with their attributes
}

const (
	maxRedirects = 20
	maxPage      = 1 << 20
)

func (b *httpBrowser) Open(ctx context.Context, at string) (*Page, error) {
	for range maxRedirects {
		if isLogin(at, b.base) {
			return b.page(&Page{URL: at, Login: at}), nil
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		resp, err := b.client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		b.remember(resp)
		next, err := resp.Location()
		if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
			return b.page(&Page{URL: at, Status: resp.StatusCode, Body: string(body)}), nil
		}
		at = next.String()
	}
	return &Page{URL: at, Status: http.StatusLoopDetected}, nil
}

// isLogin tells an authorize URL of the emulator.
func isLogin(at, base string) bool {
	u, err := url.Parse(at)
	return err == nil && strings.HasPrefix(at, base+"/") && strings.HasSuffix(u.Path, "/auth") &&
		u.Query().Has("client_id")
}

func (b *httpBrowser) remember(resp *http.Response) {
	if b.set == nil {
		b.set = map[string]*http.Cookie{}
	}
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.set, c.Name)
		} else {
			b.set[c.Name] = c
		}
	}
}

func (b *httpBrowser) page(p *Page) *Page {
	for _, c := range b.set {
		p.Cookies = append(p.Cookies, c)
	}
	return p
}

func (b *httpBrowser) Close() { b.client.CloseIdleConnections() }
