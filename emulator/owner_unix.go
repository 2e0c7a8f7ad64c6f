//go:build unix

package emulator

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// stranger names the owner of a file when that is neither we nor root, who can
// read everything anyway; "" otherwise.
func stranger(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(s.Uid) == os.Geteuid() || s.Uid == 0 {
		return ""
	}
	return fmt.Sprintf("belongs to user %d", s.Uid)
}
