package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/web"
)

// answerStream answers with what fn writes, as it writes it. A failure after the
// first bytes have left breaks the answer off, so that nobody takes it for whole.
func answerStream(c echo.Context, status int, kind string, fn func(*bufio.Writer) error) error {
	r := c.Response()
	r.Header().Set(echo.HeaderContentType, kind)
	r.Status = status // which the first bytes send
	w := bufio.NewWriterSize(r, 64<<10)
	err := fn(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil && r.Committed {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		r.Header().Del(echo.HeaderContentType)
		r.Header().Del(echo.HeaderContentDisposition)
	}
	return err
}

// attachment makes the answer a file to keep. Its name is letters, digits and
// .-_ alone, whatever it was made of: a name is no place for markup, paths or
// header parameters.
func attachment(c echo.Context, name, kind string) {
	name = strings.Map(func(r rune) rune {
		if r > '~' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r) {
			return '_'
		}
		return r
	}, name)
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Response().Header().Set(echo.HeaderContentType, kind)
}

// Events sends what now says whenever a request changes, and differs.
func Events(c echo.Context, phones *ecps.Phones, closing <-chan struct{}, now func() (any, error)) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	w := c.Response()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	changed, last := phones.Watch(c.Request().Context()), ""
	for {
		v, err := now()
		if err != nil {
			return err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if string(data) != last {
			last = string(data)
			if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
				return nil // the page is gone
			}
			w.Flush()
		}
		if !Goes(changed, closing) {
			return nil
		}
	}
}

// Goes waits for the next change; false when the request or the server ends.
func Goes(changed <-chan string, closing <-chan struct{}) bool {
	select {
	case _, open := <-changed:
		return open
	case <-closing:
		return false
	}
}
