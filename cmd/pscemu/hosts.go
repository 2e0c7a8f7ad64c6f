package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/provider"
	"pscemu.invalid/pscemu/provider/site"
)

// newHosts prints what a hosts file needs so that clients with hard-coded host
// names reach the emulator.
func newHosts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hosts",
		Short: "Print the lines for the hosts file",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintln(out, "# pscemu: these names lead to the emulator on this machine. Take the lines out")
			fmt.Fprintln(out, "# again before you use the real Pro Santé Connect.")
			names := append(site.RealHosts(), l.HostNames()...)
			for i := 0; i < len(names); i += 2 {
				fmt.Fprintln(out, "127.0.0.1 "+strings.Join(names[i:min(i+2, len(names))], " "))
			}
			if _, port, err := net.SplitHostPort(l.Listen); err == nil && port != "443" {
				fmt.Fprintf(
					out,
					"# Clients that name no port call 443: start with --listen 127.0.0.1:443, or redirect\n"+
						"# 443 to %s. They must trust server-ca.pem of the data folder.\n",
					port,
				)
			}
			return nil
		},
	}
	settingFlags(cmd)
	return cmd
}

// newFidelity prints the ledger of docs/fidelity.md.
func newFidelity() *cobra.Command {
	return command(
		"fidelity",
		"Print the ledger: each behaviour, how sure it is, and the setting that changes it",
		0,
		func(cmd *cobra.Command, _ []string) error {
			text, err := provider.LedgerMarkdown()
			if err == nil {
				_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			}
			return err
		},
	)
}
