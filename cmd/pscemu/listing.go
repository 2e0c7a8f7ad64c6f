package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/api"
)

// pageOf is how many rows a listing asks the control API for at once.
const pageOf = 1000

// withLimit lets a command that lists print the first rows only.
func withLimit(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Int("limit", 0, "print so many at the most, and say on standard error when more follow; 0 prints all")
	return cmd
}

// list asks for the part of a list of the control API that begins after a row.
type list func(r *remote, limit int, after string) (api.Answer, error)

// listing prints a listing of the API as JSON or as a table of these keys: all of
// it, page by page as they come, or as many rows as --limit says.
func listing(cmd *cobra.Command, from list, keys ...string) error {
	most := 0
	if cmd.Flags().Lookup("limit") != nil {
		most, _ = cmd.Flags().GetInt("limit")
	}
	if most < 0 {
		return usageError{fmt.Errorf("--limit is %d; it must be 1 or more, or 0 for all", most)}
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	var out rows = &table{w: cmd.OutOrStdout(), keys: keys}
	if wantsJSON(cmd) {
		out = &jsonRows{w: cmd.OutOrStdout()}
	}
	more, err := r.each(from, most, out.page)
	if err == nil {
		err = out.end()
	}
	if err == nil && more {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d shown, more follow; --limit 0 prints all\n", most)
	}
	return err
}

// each calls fn for each page of a listing, until its end or until most rows were
// seen (0 is no bound). It tells whether more follow.
func (r *remote) each(from list, most int, fn func([]map[string]any) error) (more bool, err error) {
	for after, seen := "", 0; ; {
		size := pageOf
		if most > 0 {
			size = min(pageOf, most-seen)
		}
		answer, err := from(r, size, after)
		if err := r.done(answer, err); err != nil {
			return false, err
		}
		var list struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next"`
		}
		d := json.NewDecoder(bytes.NewReader(answer.GetBody()))
		d.UseNumber()
		if err := d.Decode(&list); err != nil {
			return false, err
		}
		if most > 0 && len(list.Items) > most-seen { // a list without pages
			list.Items, list.Next = list.Items[:most-seen], "the rows left out"
		}
		if err := fn(list.Items); err != nil {
			return false, err
		}
		seen, after = seen+len(list.Items), list.Next
		if after == "" || most > 0 && seen >= most {
			return after != "", nil
		}
	}
}

// rows prints the pages of a listing.
type rows interface {
	page(items []map[string]any) error
	end() error
}

// jsonRows prints {"items": […]}.
type jsonRows struct {
	w io.Writer
	n int
}

func (j *jsonRows) page(items []map[string]any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	for _, item := range items {
		before := ",\n    "
		if j.n == 0 {
			before = "{\n  \"items\": [\n    "
		}
		b.WriteString(before)
		if err := e.Encode(item); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the encoder's line end
		j.n++
	}
	_, err := j.w.Write(b.Bytes())
	return err
}

func (j *jsonRows) end() error {
	last := "\n  ]\n}\n"
	if j.n == 0 {
		last = "{\n  \"items\": []\n}\n"
	}
	_, err := io.WriteString(j.w, last)
	return err
}

// table prints rows in columns, as wide as the first page needs.
type table struct {
	w      io.Writer
	keys   []string
	widths []int
}

func (t *table) page(items []map[string]any) error {
	var lines [][]string
	first := t.widths == nil
	if first {
		head := make([]string, len(t.keys))
		for n, k := range t.keys {
			head[n] = strings.ToUpper(k)
		}
		lines, t.widths = append(lines, head), make([]int, len(t.keys))
	}
	for _, item := range items {
		line := make([]string, len(t.keys))
		for n, k := range t.keys {
			line[n] = cell(item[k])
			if k == "name" || k == "holder" {
				line[n] = cut(line[n])
			}
		}
		lines = append(lines, line)
	}
	if first {
		for _, line := range lines {
			for n, text := range line {
				t.widths[n] = max(t.widths[n], utf8.RuneCountInString(text))
			}
		}
	}
	return t.print(lines)
}

// widest is how many characters of a person's name a column shows: one of eighty
// letters would push the columns behind it out of sight. JSON has all of it.
const widest = 48

func cut(name string) string {
	if runes := []rune(name); len(runes) > widest {
		return string(runes[:widest-1]) + "…"
	}
	return name
}

func (t *table) print(lines [][]string) error {
	var b strings.Builder
	for _, line := range lines {
		for n, text := range line {
			if n == len(line)-1 {
				b.WriteString(text + "\n")
				break
			}
			b.WriteString(text + strings.Repeat(" ", max(0, t.widths[n]-utf8.RuneCountInString(text))+2))
		}
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *table) end() error { return nil }
