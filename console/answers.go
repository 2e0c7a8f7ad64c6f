package console

import (
	"bufio"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
)

func notNil(list []string) []string { return append([]string{}, list...) }

// spooled keeps a body aside, however large it may be.
func spooled(c echo.Context) (*identities.Scratch, error) {
	s := &identities.Scratch{}
	if _, err := io.Copy(s, c.Request().Body); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

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
