package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// dataFile reads the entries out of a data file (bbolt) that comes from
// outside, without mapping it: whatever is damaged in it is an error, and
// leads neither out of the file nor in a circle.
type dataFile struct {
	r        io.ReaderAt
	size     int64
	pageSize int64
	root     uint64
	data     bucketAt
	last     string
}

// bucketAt is where a bucket lies: a page of its own, or within another's.
type bucketAt struct {
	page   uint64
	inline []byte
}

const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	pageHeader     = 16
	metaSize       = 64
	maxPage        = 1 << 28 // of a page with all that overflows into the next ones
	maxDepth       = 64
	branchPage     = 0x01
	leafPage       = 0x02
	bucketElement  = 0x01
	branchElement  = 16
	leafElement    = 16
	bucketInHeader = 16
)

var le = binary.LittleEndian

// openDataFile tells whether this is a bbolt file at all, and finds the data in
// it. Both of its meta pages must be good, as they are in a copy and in a file
// that was closed: else it would be of an earlier moment than it seems.
func openDataFile(r io.ReaderAt, size int64) (f *dataFile, ok bool, err error) {
	first := make([]byte, pageHeader+metaSize)
	if n, _ := r.ReadAt(first, 0); n < len(first) || le.Uint32(first[pageHeader:]) != boltMagic {
		return nil, false, nil
	}
	f = &dataFile{r: r, size: size, pageSize: int64(le.Uint32(first[pageHeader+8:]))}
	if f.pageSize < 1024 || f.pageSize > 1<<16 || size < 4*f.pageSize {
		return nil, true, errors.New("it is cut off, or its first page is damaged")
	}
	newest := uint64(0)
	for n := range int64(2) {
		meta := make([]byte, metaSize)
		if _, err := r.ReadAt(meta, n*f.pageSize+pageHeader); err != nil {
			return nil, true, err
		}
		h := fnv.New64a()
		h.Write(meta[:metaSize-8])
		if le.Uint32(meta) != boltMagic || le.Uint32(meta[4:]) != boltVersion || le.Uint64(meta[metaSize-8:]) != h.Sum64() {
			return nil, true, fmt.Errorf("page %d is damaged", n)
		}
		if id := le.Uint64(meta[48:]); id >= newest {
			newest, f.root = id, le.Uint64(meta[16:])
			if used := int64(le.Uint64(meta[40:])); used <= 0 || used > size/f.pageSize {
				return nil, true, fmt.Errorf("it is cut off: %d pages of %d", size/f.pageSize, used)
			}
		}
	}
	return f, true, f.buckets()
}

// buckets finds the data among the buckets of the root, and this program's
// schema.
func (f *dataFile) buckets() error {
	found := map[string]bucketAt{}
	err := f.walk(bucketAt{page: f.root}, true, func(name string, value []byte) error {
		if len(value) < bucketInHeader {
			return errors.New("a bucket is cut off")
		}
		found[name] = bucketAt{le.Uint64(value), value[bucketInHeader:]}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range [][]byte{dataBucket, expiryBucket, metaBucket} {
		if _, ok := found[string(name)]; !ok {
			return fmt.Errorf("it holds no %s", name)
		}
	}
	f.data = found[string(dataBucket)]
	schema := ""
	err = f.walk(found[string(metaBucket)], false, func(key string, value []byte) error {
		if key == "schema" {
			schema = string(value)
		}
		return nil
	})
	if err == nil && schema != schemaVersion {
		err = fmt.Errorf("schema version %q, this program knows %s", schema, schemaVersion)
	}
	return err
}

// each calls fn for each entry of the data.
func (f *dataFile) each(fn func(Entry) error) error {
	return f.walk(f.data, false, func(key string, value []byte) error {
		if len(value) < 8 {
			return fmt.Errorf("the entry %q is cut off", key)
		}
		return fn(Entry{Key: key, Value: value[8:], Expires: expiry(int64(binary.BigEndian.Uint64(value)))})
	})
}

// walk calls fn for each element of a bucket; buckets tells whether these are
// to be buckets.
func (f *dataFile) walk(b bucketAt, buckets bool, fn func(key string, value []byte) error) error {
	w := &walker{f: f, buckets: buckets, fn: fn, seen: make([]uint64, f.size/f.pageSize/64+1)}
	if b.page == 0 {
		return w.page(b.inline, 0)
	}
	return w.follow(b.page, 0)
}

type walker struct {
	f       *dataFile
	buckets bool
	fn      func(key string, value []byte) error
	seen    []uint64 // a bit for each page
	last    string
	some    bool
}

// follow reads a page by its number, which no page before had.
func (w *walker) follow(id uint64, depth int) error {
	total := uint64(w.f.size / w.f.pageSize)
	if id < 2 || id >= total || w.seen[id/64]&(1<<(id%64)) != 0 || depth > maxDepth {
		return fmt.Errorf("a page leads to page %d, which cannot be", id)
	}
	w.seen[id/64] |= 1 << (id % 64)
	head := make([]byte, pageHeader)
	at := int64(id) * w.f.pageSize
	if _, err := w.f.r.ReadAt(head, at); err != nil {
		return err
	}
	pages := uint64(le.Uint32(head[12:])) + 1
	if le.Uint64(head) != id || pages > total-id || int64(pages)*w.f.pageSize > maxPage {
		return fmt.Errorf("page %d is damaged", id)
	}
	page := make([]byte, int64(pages)*w.f.pageSize)
	if _, err := w.f.r.ReadAt(page, at); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := w.page(page, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// page takes a page's elements in their order.
func (w *walker) page(page []byte, depth int) error {
	if len(page) < pageHeader {
		return errors.New("cut off")
	}
	kind, count := le.Uint16(page[8:]), int(le.Uint16(page[10:]))
	if kind != branchPage && kind != leafPage || pageHeader+count*leafElement > len(page) {
		return errors.New("neither a branch nor a leaf")
	}
	for i := range count {
		from := pageHeader + i*leafElement
		e := page[from:]
		if kind == branchPage {
			if err := w.follow(le.Uint64(e[8:]), depth+1); err != nil {
				return err
			}
			continue
		}
		pos, k, v := int64(le.Uint32(e[4:])), int64(le.Uint32(e[8:])), int64(le.Uint32(e[12:]))
		if pos+k+v > int64(len(e)) || (le.Uint32(e) == bucketElement) != w.buckets || le.Uint32(e) > bucketElement {
			return errors.New("an element lies outside, or is of another kind")
		}
		if err := w.element(string(e[pos:pos+k]), e[pos+k:pos+k+v]); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) element(key string, value []byte) error {
	if w.some && key <= w.last {
		return fmt.Errorf("the key %q does not come behind %q", key, w.last)
	}
	w.some, w.last = true, key
	return w.fn(key, value)
}
