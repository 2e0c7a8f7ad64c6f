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

// Imported are the people of an import.
type Imported struct {
	Items []Person `json:"items"`
	// Warnings are what was read otherwise than it stands there.
	Warnings []string `json:"warnings"`
}

type bringPeople struct {
	// Fictitious replaces real numbers and names.
	Fictitious bool `query:"fictitious"`
	// Async answers at once with a job.
	Async bool      `query:"async"`
	Body  io.Reader `body:"application/json,application/yaml,text/csv,text/plain"`
}

// bring reads the whole import and judges it before it changes anything; it
// keeps all the people, or none.
func (s *People) bring(c context.Context, in *bringPeople) (Stream, error) {
	scratch, err := spooled(in.Body)
	if err != nil {
		return nil, err
	}
	if in.Async {
		return s.importLater(scratch, in.Fictitious)
	}
	defer scratch.Close()
	kept, err := s.keepImport(c, scratch, in.Fictitious, nil)
	if err != nil {
		return nil, err
	}
	return func(c echo.Context) error {
		defer kept.Close()
		return s.answerImport(c, kept)
	}, nil
}

// importLater imports in a job, which closes what was put aside.
func (s *People) importLater(scratch *identities.Scratch, fictitious bool) (Stream, error) {
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
	return accepted(j), nil
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
			rows, err := s.persons(c.Request().Context(), page)
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
func spooled(body io.Reader) (*identities.Scratch, error) {
	s := &identities.Scratch{}
	if _, err := io.Copy(s, body); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
