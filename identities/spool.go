package identities

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"

	"pscemu.invalid/pscemu/internal/problem"
)

// Scratch is bytes that are kept aside: in memory while they are few, else in a
// private file that has no name.
type Scratch struct {
	memory bytes.Buffer
	file   *os.File
	out    *bufio.Writer
}

// scratchMemory is how many bytes are kept in memory.
const scratchMemory = 1 << 20

// Write adds bytes at the end.
func (s *Scratch) Write(b []byte) (n int, err error) {
	if s.file == nil && s.memory.Len()+len(b) > scratchMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if s.file == nil {
		return s.memory.Write(b)
	}
	n, err = s.out.Write(b)
	return n, scratchFailed(err)
}

// spill goes on in a file.
func (s *Scratch) spill() (err error) {
	if s.file, err = os.CreateTemp("", "pscemu-*"); err != nil {
		return scratchFailed(err)
	}
	_ = os.Remove(s.file.Name()) // where an open file cannot be removed, Close does it
	s.out = bufio.NewWriterSize(s.file, 64<<10)
	_, err = s.memory.WriteTo(s.out)
	s.memory = bytes.Buffer{}
	return scratchFailed(err)
}

func scratchFailed(err error) error {
	if err == nil {
		return nil
	}
	return problem.ScratchUnwritable.With("temp_dir", os.TempDir()).Got(err.Error())
}

// Open reads what was written, from the start; nothing is written any more.
func (s *Scratch) Open() (io.ReadSeeker, error) {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes()), nil
	}
	if err := s.out.Flush(); err != nil {
		return nil, scratchFailed(err)
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return s.file, err
}

// Close forgets the bytes.
func (s *Scratch) Close() {
	s.memory = bytes.Buffer{}
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// Lines keeps pieces of JSON aside, in order.
type Lines struct {
	Scratch
	count int
}

// Add puts a piece at the end.
func (l *Lines) Add(raw []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return err
	}
	l.count++
	line.WriteByte('\n')
	_, err := l.Write(line.Bytes())
	return err
}

// Len is how many pieces there are.
func (l *Lines) Len() int { return l.count }

// Lines calls fn for each piece.
func (l *Lines) Lines(fn func(raw []byte) error) error {
	whole, err := l.Open()
	if err != nil {
		return err
	}
	for in := bufio.NewReaderSize(whole, 64<<10); ; {
		raw, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(raw[:len(raw)-1]); err != nil {
			return err
		}
	}
}

// Spool keeps people aside, in order, while a command looks at all of them
// before it changes anything.
type Spool struct{ lines Lines }

// Add puts a person at the end, as they are to be stored.
func (s *Spool) Add(i *Identity) error {
	raw, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return s.lines.Add(raw)
}

// Len is how many people there are.
func (s *Spool) Len() int { return s.lines.Len() }

// Close forgets the people.
func (s *Spool) Close() { s.lines.Close() }

// Kept is a person as they are stored. Raw is valid until the page ends.
type Kept struct {
	ID  string
	Raw []byte
}

// Identity is the person.
func (k Kept) Identity() (i Identity, err error) { return i, json.Unmarshal(k.Raw, &i) }

// Pages calls fn for the people in order, up to this many at a time.
func (s *Spool) Pages(size int, fn func([]Kept) error) error {
	var page []Kept
	err := s.lines.Lines(func(raw []byte) error {
		var who struct {
			ID string `json:"national_id"`
		}
		if err := json.Unmarshal(raw, &who); err != nil {
			return err
		}
		if page = append(page, Kept{who.ID, raw}); len(page) < size {
			return nil
		}
		err := fn(page)
		page = page[:0]
		return err
	})
	if err == nil && len(page) > 0 {
		err = fn(page)
	}
	return err
}
