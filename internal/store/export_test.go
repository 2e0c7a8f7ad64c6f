package store

// PutUnchecked writes what Put would refuse, as a mistake in a backend would.
func PutUnchecked(tx Tx, key string, raw []byte) { tx.(*overlay).set(key, raw) }

// Production makes nesting what it is outside of tests, until the end is called.
func Production() (end func()) {
	strict = false
	return func() { strict = true }
}

// DiskFree makes the disk have so much room, until the end is called.
func DiskFree(bytes int64) (end func()) {
	before := diskFree
	diskFree = func(string) (int64, bool) { return bytes, true }
	return func() { diskFree = before }
}

// MaxFile makes the file in use take no more than so many bytes, as a full disk
// does.
func MaxFile(s *Bolt, bytes int) { s.file.MaxSize = bytes }

// NextSize is how many items a step of Each takes next.
var NextSize = nextSize
