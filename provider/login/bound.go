package login

import (
	"errors"
	"net/http"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// bound are the browsers that pages of the portal belong to, by the page's id:
// an address is no proof, since it can be passed on.
var bound = store.Collection[string]("page-browsers")

// BindIn keeps a page for one browser.
func (l *Logins) BindIn(tx store.Tx, page, browser string, life time.Duration) error {
	return bound.Put(tx, page, browser, life)
}

// Bound refuses a page to every other browser than its own.
func (l *Logins) Bound(r *http.Request, page string) error {
	browser, err := bound.Load(r.Context(), l.Store, page)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !l.isBrowser(r, browser) {
		return problem.PageOtherBrowser.Of()
	}
	return nil
}
