//go:build linux || darwin

package store

import (
	"path/filepath"
	"syscall"
)

// diskFree is how many bytes the file's disk still takes.
var diskFree = func(path string) (bytes int64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true
}
