package emulator

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"pscemu/console"
	"pscemu/problem"
)

// connections counts what a listener has open, and turns those away who come
// over the limit, with the reason.
type connections struct {
	most int64
	open atomic.Int64
}

// count follows http.Server.ConnState.
func (c *connections) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

func (c *connections) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open := c.open.Load(); open > c.most {
			w.Header().Set("Connection", "close")
			console.WriteProblem(w, problem.New(problem.TooMany, "connections-too-many", "too many connections are open").Got(fmt.Sprint(open)).Want(fmt.Sprintf("%d at most", c.most)).Do("close some, or raise the setting max-connections"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
