package yamltext

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Part is a piece of a document: an item of a list, or a member of the map that
// stands at the margin.
type Part struct {
	Key  string // of the member, or of the member whose list the item is in; "" in a list at the margin
	Item bool   // Text is a list of this one item; else it is the whole member
	Text []byte // valid until the next part is read
	Line int    // that Text begins on
}

// ErrTooLarge is returned for a piece that is too large to be read as a whole.
var ErrTooLarge = fmt.Errorf("a single value of more than %d bytes", MaxWhole)

// ErrNotBlocks is returned for a document that is not laid out in lines.
var ErrNotBlocks = errors.New("the text is no list and no map laid out line by line")

// Split reads a document piece by piece and calls fn for each: items of lists
// that stand at the margin or directly below a key there, and other members
// whole.
func Split(r io.Reader, fn func(Part) error) error {
	s := splitter{in: bufio.NewReaderSize(r, 64<<10), fn: fn}
	for {
		line, err := s.line()
		if err == io.EOF {
			return s.end()
		}
		if err == nil {
			err = s.take(line)
		}
		if err != nil {
			return err
		}
	}
}

type splitter struct {
	in    *bufio.Reader
	fn    func(Part) error
	at    int // line read last
	part  Part
	open  bool // part holds something
	dash  int  // column of the dashes of the list under way, -1 for none
	begun bool
}

// line reads the next line, whatever ends it.
func (s *splitter) line() ([]byte, error) {
	var out []byte
	s.at++
	for {
		piece, err := s.in.ReadSlice('\n')
		out = append(out, piece...)
		switch {
		case len(out) > MaxWhole:
			return nil, ErrTooLarge
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(out) > 0:
			return append(out, '\n'), nil
		}
		return out, err
	}
}

func (s *splitter) take(line []byte) error {
	text := bytes.TrimRight(line, " \r\n")
	column := len(text) - len(bytes.TrimLeft(text, " "))
	text = text[column:]
	switch {
	case len(text) == 0 || text[0] == '#':
		return s.add(line)
	case column == 0 && string(text) == "---" && !s.begun:
		return nil
	case column == 0 && (bytes.HasPrefix(text, []byte("---")) || bytes.HasPrefix(text, []byte("...")) || text[0] == '%'):
		return errors.New("several documents, or a directive")
	}
	dashed := text[0] == '-' && (len(text) == 1 || text[1] == ' ')
	switch {
	case !s.begun && column > 0:
		return ErrNotBlocks
	case !s.begun && dashed:
		s.dash, s.begun = 0, true
		return s.begin(Part{Item: true}, line)
	case s.open && !s.part.Item && s.dash == -1 && dashed && s.bare():
		s.dash = column
		s.part.Item, s.part.Text, s.part.Line = true, s.part.Text[:0], s.at
		return s.add(line)
	case s.dash == column && dashed:
		return s.begin(Part{Key: s.part.Key, Item: true}, line)
	case column > 0:
		return s.add(line)
	}
	return s.member(text, line)
}

// bare tells whether the member under way is a key alone so far.
func (s *splitter) bare() bool {
	lines := 0
	for line := range bytes.Lines(s.part.Text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		_, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		if lines++; lines > 1 || len(value) > 0 && value[0] != '#' {
			return false
		}
	}
	return true
}

// member begins a member at the margin.
func (s *splitter) member(text, line []byte) error {
	key, _, found := bytes.Cut(text, []byte(":"))
	if !found || s.begun && s.part.Key == "" || strings.IndexByte("[{&*!|>@`?", text[0]) >= 0 {
		return ErrNotBlocks
	}
	s.dash, s.begun = -1, true
	return s.begin(Part{Key: strings.Trim(string(bytes.TrimSpace(key)), `"'`)}, line)
}

func (s *splitter) begin(p Part, line []byte) error {
	if err := s.end(); err != nil {
		return err
	}
	p.Line, p.Text = s.at, s.part.Text[:0]
	s.part, s.open = p, true
	return s.add(line)
}

// add puts a line to the part under way; before the first there is none.
func (s *splitter) add(line []byte) error {
	if !s.open {
		return nil
	}
	if len(s.part.Text)+len(line) > MaxWhole {
		return ErrTooLarge
	}
	s.part.Text = append(s.part.Text, line...)
	return nil
}

// end hands the part under way over.
func (s *splitter) end() error {
	if !s.open {
		return nil
	}
	s.open = false
	return s.fn(s.part)
}
