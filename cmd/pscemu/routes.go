package main

import (
	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/console"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider"
)

// newRoutes prints what is served, without a running server.
func newRoutes() *cobra.Command {
	cmd := command("routes", "Print every address that is served, with who answers", 0,
		func(cmd *cobra.Command, _ []string) error {
			routes := routes()
			if wantsJSON(cmd) {
				return printJSON(cmd, map[string]any{"items": routes})
			}
			rows := make([][]string, len(routes))
			for n, r := range routes {
				rows[n] = []string{r.Listener, r.Method, r.Path, r.Room + "." + r.Handler}
			}
			return printTable(cmd, []string{"LISTENER", "METHOD", "PATH", "HANDLER"}, rows)
		})
	cmd.Flags().String("output", "text", "text or json")
	return cmd
}

// routes are those of all listeners.
func routes() []web.Route { return append(provider.Routes(), console.Routes()...) }
