package emulator

import (
	"container/list"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// connections knows what a listener has open. When as many are open as may be,
// a new one takes the place of the one that has been idle for longest. Only
// when all of them are at work is the new one told so and closed.
type connections struct {
	most int

	mu   sync.Mutex
	open map[net.Conn]*connection
	// idle wait for their next request, silent for their first one; the oldest
	// are in front.
	idle, silent list.List
}

type connection struct {
	net.Conn
	since   time.Time
	surplus bool          // came when there was no room
	in      *list.List    // nil while it works
	at      *list.Element // in that list
}

// patience is how long a connection may say nothing before it gives way: a
// client that has just connected speaks at once.
const patience = 2 * time.Second

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*connection{}}
}

type connectionKey struct{}

// enter is http.Server.ConnContext: it makes room for a new connection.
func (c *connections) enter(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := &connection{Conn: conn, since: time.Now()}
	if len(c.open) >= c.most && !c.evict() {
		in.surplus = true
		time.AfterFunc(patience, func() { c.dismiss(in) })
	}
	c.open[conn] = in
	c.put(in, &c.silent)
	return context.WithValue(ctx, connectionKey{}, in)
}

// evict closes the connection that is missed least.
func (c *connections) evict() bool {
	if first := c.idle.Front(); first != nil {
		c.close(first.Value.(*connection))
		return true
	}
	if first := c.silent.Front(); first != nil && time.Since(first.Value.(*connection).since) > patience {
		c.close(first.Value.(*connection))
		return true
	}
	return false
}

// dismiss closes a connection that there was no room for, if it still says
// nothing.
func (c *connections) dismiss(in *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.in == &c.silent && len(c.open) > c.most {
		c.close(in)
	}
}

func (c *connections) close(in *connection) {
	c.remove(in)
	go func() { _ = in.Close() }() // over TLS it says farewell, which takes time
}

func (c *connections) remove(in *connection) {
	c.put(in, nil)
	delete(c.open, in.Conn)
}

// put moves a connection to the end of a list, or out of all.
func (c *connections) put(in *connection, to *list.List) {
	if in.in != nil {
		in.in.Remove(in.at)
	}
	in.in, in.at = to, nil
	if to != nil {
		in.at = to.PushBack(in)
	}
}

// follow is http.Server.ConnState.
func (c *connections) follow(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.open[conn]
	if in == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.put(in, nil)
	case http.StateIdle:
		_ = conn.SetWriteDeadline(time.Time{}) // of the answer before
		c.put(in, &c.idle)
		if len(c.open) > c.most {
			c.close(in)
		}
	case http.StateClosed, http.StateHijacked:
		c.remove(in)
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// refuse tells why a request on a connection without room is not served, nil
// when it is.
func (c *connections) refuse(ctx context.Context) error {
	in, _ := ctx.Value(connectionKey{}).(*connection)
	if in == nil || !in.surplus {
		return nil
	}
	open := c.count()
	if open <= c.most {
		return nil
	}
	return problem.ConnectionsTooMany.With("most", c.most).Got(fmt.Sprint(open))
}
