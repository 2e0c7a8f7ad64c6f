package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.etcd.io/bbolt"
)

// compactFrom is the size from which a file is worth compacting.
const compactFrom = 16 << 20

// compacted is the file without its free pages when most of it is free, else as
// it is. Only how many are free is read for that.
func compacted(path string, db *bbolt.DB) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	before, unused := info.Size(), free(db)
	if before < compactFrom || 2*unused < before {
		return db, nil
	}
	next, err := compact(path, db, before-unused)
	if err != nil {
		slog.Warn("the data file is free for the most part, and stays as large as it is",
			"file", path, "bytes", before, "free", unused, "error", err)
		return db, nil
	}
	after := int64(0)
	if info, err := os.Stat(path); err == nil {
		after = info.Size()
	}
	slog.Info("the data file was compacted", "file", path, "bytes_before", before, "bytes_after", after)
	return next, db.Close()
}

// free is how many bytes of a file are free to be written again.
func free(db *bbolt.DB) int64 {
	stats := db.Stats()
	return int64(stats.FreePageN+stats.PendingPageN) * int64(db.Info().PageSize)
}

// compact copies what a file holds, some size bytes, into a fresh one that takes
// its name.
func compact(path string, db *bbolt.DB, size int64) (next *bbolt.DB, err error) {
	if err := roomFor(path, size); err != nil {
		return nil, err
	}
	fresh, err := freshFile(path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(fresh) // it has another name when all went well
	if err := copyInto(fresh, db); err != nil {
		return nil, err
	}
	if next, err = openWhole(fresh); err != nil {
		return nil, err
	}
	if err = errors.Join(next.View(sound), sameCount(db, next)); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	syncFolder(path)
	return next, nil
}

func copyInto(fresh string, db *bbolt.DB) error {
	o := boltOptions()
	o.NoSync, o.NoGrowSync = true, true
	to, err := openBolt(fresh, o)
	if err != nil {
		return err
	}
	return errors.Join(bbolt.Compact(to, db, buildSize), to.Sync(), to.Close())
}

// sameCount refuses a copy with fewer or more entries.
func sameCount(a, b *bbolt.DB) error {
	for _, name := range [][]byte{dataBucket, expiryBucket, metaBucket} {
		if n, m := count(a, name), count(b, name); n != m {
			return fmt.Errorf("the copy has %d entries of %d in %s", m, n, name)
		}
	}
	return nil
}

func count(db *bbolt.DB, bucket []byte) (n int) {
	_ = db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucket).Stats().KeyN
		return nil
	})
	return n
}

// roomFor refuses to begin what the disk has no room for.
func roomFor(path string, size int64) error {
	left, known := diskFree(path)
	if need := size + size/4 + allocated; known && left < need {
		return fmt.Errorf("%d bytes are free on the disk, a compact copy needs %d", left, need)
	}
	return nil
}
