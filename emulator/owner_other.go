//go:build !unix

package emulator

import "io/fs"

// stranger is about owners as Unix knows them.
func stranger(fs.FileInfo) string { return "" }
