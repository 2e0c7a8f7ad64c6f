package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// patience is how long a file that a setting names may take to be read: one that
// is a pipe may have no writer, and the start must not wait for ever.
const patience = 5 * time.Second

// Largest is how much a file that a setting names may hold.
const Largest = 16 << 20

// ReadNamed reads the file that a setting names, which may also be a pipe or
// standard input, within bounds of size and time.
func ReadNamed(path string) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // stays behind when nothing comes; the program ends then
		f, err := os.Open(path)
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer f.Close()
		data, err := readAll(f, Largest)
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: nothing came within %s; is it a pipe that nobody writes to?", path, patience)
	}
}

// ReadRegular reads a file of at most so many bytes. What is no regular file is
// refused and never waited for: pipes, devices, sockets, folders.
func ReadRegular(path string, most int64) ([]byte, error) {
	// Looked at before it is opened: to open a device may already do something.
	info, err := os.Stat(path)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, tooLarge(path, most)
	}
	return readAll(f, most)
}

// readAll reads at most so many bytes; more is an error.
func readAll(f *os.File, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = tooLarge(f.Name(), most)
	}
	return data, err
}

func tooLarge(path string, most int64) error {
	return fmt.Errorf("%s holds more than %d MiB", path, most>>20)
}

func regular(info fs.FileInfo) error {
	kind := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	default:
		return errors.New("no file: " + mode.String())
	}
	return errors.New(kind + ", not a file")
}
