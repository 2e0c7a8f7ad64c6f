package bench

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
)

const maxPage = 1 << 20

// Person is somebody to log in.
type Person struct {
	NationalID string
	Card       string // serial of the card to present, for Card
	PIN        string
}

// People are taken in turn.
type People struct {
	All  []Person
	next atomic.Int64
}

func (p *People) one() Person { return p.All[int(p.next.Add(1)-1)%len(p.All)] }

// Door logs in through the test door login_hint=auto:…; means is "", ecps or card.
func Door(people *People, means string) User {
	if means != "" {
		means = ";means=" + means
	}
	return func(ctx context.Context, browser *http.Client, authorize string) (*url.URL, error) {
		back, page, err := step(
			ctx,
			browser,
			authorize+"&login_hint="+url.QueryEscape("auto:"+people.one().NationalID+means),
			nil,
		)
		return left(back, page, err)
	}
}

// ECPS fills in the login page and waits for the phone, which has to approve by
// itself (the person's behaviour).
func ECPS(people *People) User {
	return onPage(func(ctx context.Context, browser *http.Client, page string) (*url.URL, error) {
		back, wait, err := step(ctx, browser, page+"/ecps", url.Values{"login": {people.one().NationalID}})
		if err != nil || back != nil || !strings.HasSuffix(wait.at.Path, "/wait") {
			return left(back, wait, err) // it was approved at once, or refused
		}
		if _, _, err := step(ctx, browser, page+"/state", nil); err != nil { // answers when the phone has
			return nil, err
		}
		back, next, err := step(ctx, browser, page+"/continue", nil)
		return left(back, next, err)
	})
}

// Card presents a card at the virtual reader.
func Card(people *People) User {
	return onPage(func(ctx context.Context, browser *http.Client, page string) (*url.URL, error) {
		who := people.one()
		back, next, err := step(ctx, browser, page+"/card", url.Values{"card": {who.Card}, "pin": {who.PIN}})
		return left(back, next, err)
	})
}

// Test chooses a person on the tab of test identities.
func Test(people *People) User {
	return onPage(func(ctx context.Context, browser *http.Client, page string) (*url.URL, error) {
		back, next, err := step(ctx, browser, page+"/test", url.Values{"identity": {people.one().NationalID}})
		return left(back, next, err)
	})
}

// onPage opens the login page first.
func onPage(then func(ctx context.Context, browser *http.Client, page string) (*url.URL, error)) User {
	return func(ctx context.Context, browser *http.Client, authorize string) (*url.URL, error) {
		back, page, err := step(ctx, browser, authorize, nil)
		if err != nil || back != nil || page.status != http.StatusOK {
			return left(back, page, err)
		}
		page.at.RawQuery = ""
		return then(ctx, browser, page.at.String())
	}
}

// Forms fills in whatever forms a provider shows, five at most, with fields by
// name: for providers other than this one.
func Forms(fields url.Values) User {
	return func(ctx context.Context, browser *http.Client, authorize string) (*url.URL, error) {
		back, page, err := step(ctx, browser, authorize, nil)
		for n := 0; n < 5 && err == nil && back == nil && page.status == http.StatusOK; n++ {
			action, values, ok := firstForm(page)
			if !ok {
				break
			}
			for k, v := range fields {
				values[k] = v
			}
			back, page, err = step(ctx, browser, action, values)
		}
		return left(back, page, err)
	}
}

type page struct {
	at     *url.URL
	status int
	body   string
}

// step sends a request, and tells whether it led to the callback or to a page.
func step(
	ctx context.Context,
	browser *http.Client,
	at string,
	form url.Values,
) (callback *url.URL, p page, err error) {
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return nil, p, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(r)
	if err != nil {
		return nil, p, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, p, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		callback, err = resp.Location()
	}
	return callback, page{resp.Request.URL, resp.StatusCode, string(b)}, err
}

// left is the callback, or the page where the login got stuck as an error.
func left(back *url.URL, p page, err error) (*url.URL, error) {
	if err == nil && back == nil {
		where := ""
		if p.at != nil {
			where = p.at.Path[strings.LastIndex(p.at.Path, "/")+1:]
		}
		err = fmt.Errorf("the login ends on the page %q with %d", where, p.status)
	}
	return back, err
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?is)<input\b[^>]*>`)
	attrName = regexp.MustCompile(`(?is)\bname\s*=\s*"([^"]*)"`)
	attrVal  = regexp.MustCompile(`(?is)\bvalue\s*=\s*"([^"]*)"`)
	attrTo   = regexp.MustCompile(`(?is)\baction\s*=\s*"([^"]*)"`)
)

func firstForm(p page) (action string, values url.Values, ok bool) {
	form := formTag.FindStringSubmatch(p.body)
	if form == nil {
		return "", nil, false
	}
	to, err := p.at.Parse(first(attrTo, form[1]))
	if err != nil {
		return "", nil, false
	}
	values = url.Values{}
	for _, input := range inputTag.FindAllString(form[2], -1) {
		if name := first(attrName, input); name != "" {
			values.Set(name, first(attrVal, input))
		}
	}
	return to.String(), values, true
}

func first(re *regexp.Regexp, in string) string {
	if m := re.FindStringSubmatch(in); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// CIBA logs in without a browser: the back channel asks, the phone approves by
// itself, and the client polls at the interval it was told.
func (a *Application) CIBA(people *People) func(context.Context) error {
	return func(ctx context.Context) error {
		l := a.begin()
		l.ACR, l.Extra = []string{"eidas1"}, nil
		asked, err := a.party.Ask(ctx, l, people.one().NationalID, "42")
		if err != nil {
			return ended(err)
		}
		for end := time.Now().Add(patience); ; {
			select {
			case <-time.After(asked.Interval):
			case <-ctx.Done():
				return ctx.Err()
			}
			_, err := a.party.Poll(ctx, asked)
			if !pending(err) || time.Now().After(end) {
				return ended(err)
			}
		}
	}
}

// pending tells whether the person has not answered yet.
func pending(err error) bool {
	var refusal *rp.Refusal
	return errors.As(err, &refusal) && refusal.Code == "authorization_pending"
}
