package emulator

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"

	"pscemu.invalid/pscemu/internal/problem"
)

// spool is a private file without a name, for what is large and comes or goes
// slowly: while a peer reads or sends it, nothing of the store is held. It ends
// with Close, and with the process.
type spool struct {
	f    *os.File
	size int64
}

// spool makes one in the data folder, else where the machine keeps such files.
func (e *Emulator) spool() (*spool, error) {
	f, err := os.CreateTemp(string(e.at.folder), "pscemu-spool-*")
	if err != nil {
		return nil, spoolUnwritable(err)
	}
	_ = os.Remove(f.Name()) // Windows keeps it until Close
	return &spool{f: f}, nil
}

func spoolUnwritable(err error) error {
	return problem.BackupUnwritable.Got(err.Error())
}

// syncEach is after how many bytes what was written goes to the disk: left to
// the system, the next commit of the data file would wait for all of it.
const syncEach = 1 << 20

// Write adds to the end.
func (s *spool) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	if before := s.size / syncEach; err == nil && (s.size+int64(n))/syncEach != before {
		err = s.f.Sync()
	}
	s.size += int64(n)
	return n, err
}

// take reads what a peer sends, to its end.
func (s *spool) take(r io.Reader) error {
	buffered := bufio.NewWriterSize(s, 1<<16)
	_, err := io.Copy(writing{buffered}, r)
	if err == nil {
		err = buffered.Flush()
	}
	var tooLarge *http.MaxBytesError
	var told *problem.Error
	var disk *os.PathError
	switch {
	case errors.As(err, &tooLarge), errors.As(err, &told):
		return err
	case errors.As(err, &disk):
		return spoolUnwritable(err)
	case err != nil:
		return problem.BodyCutOff.Got(err.Error())
	}
	return nil
}

// writing hides every other way to copy, so that Write sees all.
type writing struct{ io.Writer }

// fill writes what fn writes.
func (s *spool) fill(fn func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(s, 1<<16)
	if err := fn(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return spoolUnwritable(err)
	}
	return nil
}

// ReadAt reads what was written.
func (s *spool) ReadAt(b []byte, at int64) (int, error) { return s.f.ReadAt(b, at) }

// reader reads all of it.
func (s *spool) reader() io.Reader { return io.NewSectionReader(s.f, 0, s.size) }

// Close ends it.
func (s *spool) Close() error {
	err := s.f.Close()
	_ = os.Remove(s.f.Name())
	return err
}
