package access

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// userOf reads the kernel's table of connections for the uid of the socket at
// theirs that is connected to ours.
func userOf(theirs, ours net.Addr) string {
	from, err1 := netip.ParseAddrPort(theirs.String())
	to, err2 := netip.ParseAddrPort(ours.String())
	if err1 != nil || err2 != nil {
		return ""
	}
	files := map[string]func(netip.AddrPort) string{"/proc/net/tcp6": inTable6}
	if from.Addr().Unmap().Is4() && to.Addr().Unmap().Is4() {
		files["/proc/net/tcp"] = inTable4
	}
	for file, written := range files {
		if uid := uidIn(file, written(from), written(to)); uid != "" {
			return uid
		}
	}
	return ""
}

// uidIn finds the line of a connection. A socket that its program has closed
// belongs to nobody any more: the table then says 0, with the inode 0.
func uidIn(file, local, remote string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		column := strings.Fields(lines.Text()) // sl local remote st queues timer retransmits uid timeout inode …
		if len(column) > 9 && column[1] == local && column[2] == remote && column[9] != "0" {
			return column[7]
		}
	}
	return ""
}

// inTable4 and inTable6 write an address as the kernel does: words of 32 bits
// in the machine's order.
func inTable4(a netip.AddrPort) string {
	b := a.Addr().Unmap().As4()
	return words(b[:]) + fmt.Sprintf(":%04X", a.Port())
}

func inTable6(a netip.AddrPort) string {
	b := a.Addr().As16()
	return words(b[:]) + fmt.Sprintf(":%04X", a.Port())
}

func words(b []byte) (out string) {
	for ; len(b) > 0; b = b[4:] {
		out += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b))
	}
	return out
}
