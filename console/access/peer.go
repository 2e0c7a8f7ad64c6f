package access

import (
	"context"
	"net"
	"sync"
)

type peerKey struct{}

// ConnContext lets requests tell whose program is at the other end of their
// connection. It is for http.Server.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(
		ctx,
		peerKey{},
		sync.OnceValue(func() string { return userOf(conn.RemoteAddr(), conn.LocalAddr()) }),
	)
}

// peer is the machine's user at the other end, "" where the system does not
// tell: it is looked for once a connection, and only when somebody asks.
func peer(ctx context.Context) string {
	if who, ok := ctx.Value(peerKey{}).(func() string); ok {
		return who()
	}
	return ""
}
