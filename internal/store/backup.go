package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// A backup is one line that says what it is, then every live entry in the order
// of the keys, then how many there are and the SHA-256 of all before it:
//
//	pscemu-backup {"format":2,…}\n
//	uvarint length of the key, key, 8 bytes expiry, uvarint length of the value, value
//	…
//	0, 8 bytes count, 32 bytes SHA-256
//
// An expiry is Unix time in nanoseconds, 0 for never; numbers of 8 bytes have
// the most significant first. It knows nothing of the store it came from.

const (
	backupMagic  = "pscemu-backup "
	backupFormat = 2
	// trailer is what follows the last entry.
	trailer = 1 + 8 + sha256.Size
)

// BackupInfo is what a backup says about itself.
type BackupInfo struct {
	Format  int       `json:"format"`
	Schema  string    `json:"schema"`
	Program string    `json:"program,omitempty"` // version that wrote it
	MadeAt  time.Time `json:"made_at,omitzero"`  // by the machine's clock
}

// BackupWriter writes a backup entry by entry.
type BackupWriter struct {
	w     *bufio.Writer
	sum   hash.Hash
	count uint64
	last  string
}

// NewBackupWriter begins a backup.
func NewBackupWriter(w io.Writer, program string, madeAt time.Time) (*BackupWriter, error) {
	b := &BackupWriter{sum: sha256.New()}
	b.w = bufio.NewWriterSize(io.MultiWriter(w, b.sum), 1<<16)
	info := BackupInfo{Format: backupFormat, Schema: schemaVersion, Program: program, MadeAt: madeAt.UTC()}
	head, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(b.w, "%s%s\n", backupMagic, head)
	return b, err
}

// Put writes the next entry; keys ascend.
func (b *BackupWriter) Put(e Entry) error {
	if e.Key <= b.last {
		return fmt.Errorf("backup: the key %q does not come behind %q", e.Key, b.last)
	}
	b.last = e.Key
	b.count++
	head := binary.AppendUvarint(nil, uint64(len(e.Key)))
	head = append(head, e.Key...)
	head = binary.BigEndian.AppendUint64(head, uint64(unixNano(e.Expires)))
	head = binary.AppendUvarint(head, uint64(len(e.Value)))
	if _, err := b.w.Write(head); err != nil {
		return err
	}
	_, err := b.w.Write(e.Value)
	return err
}

// Close writes the end.
func (b *BackupWriter) Close() error {
	_, err := b.w.Write(binary.BigEndian.AppendUint64([]byte{0}, b.count))
	if err := errors.Join(err, b.w.Flush()); err != nil {
		return err
	}
	_, err = b.w.Write(b.sum.Sum(nil))
	return errors.Join(err, b.w.Flush())
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Backup is a backup that was found to be whole.
type Backup struct {
	BackupInfo
	each func(fn func(Entry) error) error
}

// Each calls fn for each entry, in the order of the keys, as often as it is
// called. Nothing that fn gets may be kept.
func (b *Backup) Each(fn func(Entry) error) error { return b.each(fn) }

// OpenBackup looks at a backup as a whole: a copy that is damaged in one byte
// is refused. So is a copy of a data file, which versions before format 2 gave
// as a backup: nothing in it tells whether a byte was changed.
func OpenBackup(r io.ReaderAt, size int64) (*Backup, error) {
	head := make([]byte, 64)
	n, _ := r.ReadAt(head, 0)
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte(backupMagic)):
		b, err := openStream(r, size)
		if err != nil {
			return nil, BackupUnreadable(err)
		}
		return b, nil
	case len(head) > boltMagicAt+4 && binary.LittleEndian.Uint32(head[boltMagicAt:]) == boltMagic:
		return nil, problem.BackupUnreadable.Case("copy")
	}
	return nil, BackupUnreadable(fmt.Errorf("%d bytes that do not begin as a backup does", size))
}

// A bbolt file has this number in its first page.
const (
	boltMagicAt = 16
	boltMagic   = 0xED0CDAED
)

// BackupUnreadable is the refusal of a backup.
func BackupUnreadable(err error) *problem.Error {
	return problem.BackupUnreadable.Got(err.Error())
}

// openStream checks the sum first: what is read afterwards is as it was written.
func openStream(r io.ReaderAt, size int64) (*Backup, error) {
	in := bufio.NewReader(io.NewSectionReader(r, 0, min(size, 4096)))
	line, err := in.ReadBytes('\n')
	if err != nil || size < int64(len(line)+trailer) {
		return nil, errors.New("it is cut off")
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size-sha256.Size)); err != nil {
		return nil, err
	}
	want := make([]byte, sha256.Size)
	if _, err := r.ReadAt(want, size-sha256.Size); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(want, sum.Sum(nil)) {
		return nil, errors.New("its checksum is not that of its content: it is damaged or cut off")
	}
	b := &Backup{}
	if err := decodeStrictly(line[len(backupMagic):], &b.BackupInfo); err != nil {
		return nil, fmt.Errorf("its first line: %w", err)
	}
	if b.Format != backupFormat || b.Schema != schemaVersion {
		return nil, fmt.Errorf("format %d with schema %q; this program knows format %d with schema %s",
			b.Format, b.Schema, backupFormat, schemaVersion)
	}
	body := io.NewSectionReader(r, int64(len(line)), size-sha256.Size-int64(len(line)))
	b.each = func(fn func(Entry) error) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return readEntries(bufio.NewReaderSize(body, 1<<16), fn)
	}
	return b, nil
}

// readEntries reads to the end, where the count stands.
func readEntries(r *bufio.Reader, fn func(Entry) error) error {
	last := ""
	for n := uint64(0); ; n++ {
		key, err := sized(r, MaxKey)
		if err != nil {
			return err
		}
		fixed := make([]byte, 8)
		if _, err := io.ReadFull(r, fixed); err != nil {
			return err
		}
		number := binary.BigEndian.Uint64(fixed)
		if len(key) == 0 {
			if _, err := r.ReadByte(); number != n || !errors.Is(err, io.EOF) {
				return fmt.Errorf("it says %d entries, %d are there", number, n)
			}
			return nil
		}
		value, err := sized(r, MaxValue)
		if err != nil {
			return err
		}
		e := Entry{Key: string(key), Value: value, Expires: expiry(int64(number))}
		if e.Key <= last {
			return fmt.Errorf("the key %q does not come behind %q", e.Key, last)
		}
		last = e.Key
		if err := fn(e); err != nil {
			return err
		}
	}
}

// sized reads a length and as many bytes.
func sized(r *bufio.Reader, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a length of %d bytes", n)
	}
	out := make([]byte, n)
	_, err = io.ReadFull(r, out)
	return out, err
}

func expiry(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Everything calls fn for each live entry, in the order of the keys.
func Everything(tx Tx, fn func(Entry) error) error {
	for after := ""; ; {
		page, err := tx.List("", after, 200)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if err := fn(e); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Key
	}
}
