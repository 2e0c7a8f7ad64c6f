package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/store"
)

// importPeople reads the whole import and judges it before it changes anything;
// it keeps all the people, or none.
func (s *People) importPeople(c echo.Context) (any, error) {
	scratch, err := spooled(c)
	if err != nil {
		return nil, err
	}
	fictitious := c.QueryParam("fictitious") == "true"
	if c.QueryParam("async") == "true" {
		return s.importLater(c, scratch, fictitious)
	}
	defer scratch.Close()
	in, err := s.keepImport(ctx(c), scratch, fictitious, nil)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return sent{}, s.answerImport(c, in)
}

// importLater imports in a job, which closes what was put aside.
func (s *People) importLater(c echo.Context, scratch *identities.Scratch, fictitious bool) (any, error) {
	j, err := s.Jobs.Start("import", "/identities?", func(ctx context.Context, j *Job) (any, error) {
		defer scratch.Close()
		in, err := s.keepImport(ctx, scratch, fictitious, j)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		return importResult{in.Len(), notNil(in.Warnings)}, nil
	})
	if err != nil {
		scratch.Close()
		return nil, err
	}
	return sent{}, accepted(c, j)
}

// importResult is what an import came to.
type importResult struct {
	Count    int      `json:"count"`
	Warnings []string `json:"warnings"`
}

// String tells it on a page.
func (r importResult) String() string {
	return fmt.Sprintf("%d identités, %d avertissements", r.Count, len(r.Warnings))
}

// keepImport judges an import and keeps it. The caller closes it.
func (s *People) keepImport(ctx context.Context, scratch *identities.Scratch, fictitious bool, j *Job) (
	*identities.Import, error) {
	raw, err := scratch.Open()
	if err != nil {
		return nil, err
	}
	in, err := s.People.OpenImport(ctx, raw, fictitious)
	if err != nil {
		return nil, err
	}
	err = identities.InBatches(ctx, s.Store, "import", in.Len(), func(do store.Step) error {
		return s.People.Keep(in, do, func(n int) { j.Progress(n, in.Len()) })
	})
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// answerImport answers with the people of an import, as they are now.
func (s *People) answerImport(c echo.Context, in *identities.Import) error {
	return answerStream(c, http.StatusCreated, echo.MIMEApplicationJSON, func(w *bufio.Writer) error {
		_, _ = w.WriteString(`{"items":[`) // what fails is kept by the writer
		separator := ""
		err := in.Pages(identities.Batch, func(page []identities.Kept) error {
			rows, err := s.persons(ctx(c), page)
			for _, row := range rows {
				raw, err := json.Marshal(row)
				if err != nil {
					return err
				}
				_, _ = w.WriteString(separator)
				_, _ = w.Write(raw)
				separator = ","
			}
			return err
		})
		if err != nil {
			return err
		}
		raw, err := json.Marshal(notNil(in.Warnings))
		_, _ = w.WriteString(`],"warnings":` + string(raw) + "}\n")
		return err
	})
}

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
