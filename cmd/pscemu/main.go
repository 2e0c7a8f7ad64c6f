// Command pscemu emulates Pro Santé Connect on this machine.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
)

// Exit codes.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNoServer = 3
)

func main() {
	root := newRoot()
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "pscemu: "+said(err))
		os.Exit(exitCode(err))
	}
}

// said is an error as the terminal shows it: a refusal with its code, as the
// control API's refusals have it.
func said(err error) string {
	var p *problem.Error
	if errors.As(err, &p) && p.Code != "" {
		return err.Error() + " (" + p.Code + ")"
	}
	return err.Error()
}

var errNoServer = errors.New("no running server found")

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.Is(err, errNoServer):
		return exitNoServer
	case errors.As(err, &usage),
		problem.Is(err, problem.SettingUnknown),
		problem.Is(err, problem.SettingInvalid),
		problem.Is(err, problem.AddressNotLoopback):
		return exitUsage
	}
	return exitFailed
}

type usageError struct{ error }

func newRoot() *cobra.Command {
	serve := newServe()
	root := &cobra.Command{
		Use:           "pscemu",
		Short:         "Pro Santé Connect on your own machine",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          serve.RunE,
	}
	root.Flags().AddFlagSet(serve.Flags())
	root.SetVersionTemplate("pscemu {{.Version}}\n")
	root.SetFlagErrorFunc(misused)
	root.AddCommand(
		serve,
		newLogin(),
		newIdentities(),
		newECPS(),
		newOutbox(),
		newCards(),
		newCertificates(),
		newClients(),
		newCodes(),
		newCheck(),
		newDoctor(),
		newBench(),
		newBackup(),
		newRestore(),
		newScenario(),
		newConformance(),
		newDiff(),
		newFidelity(),
		newHosts(),
		newConfig(),
		newOpenAPI(),
		newRoutes(),
		newVersion(),
	)
	return root
}

// usage makes wrong arguments a usage error.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := args(cmd, a); err != nil {
			return misused(cmd, err)
		}
		return nil
	}
}

// misused is a usage error that says where the right usage stands.
func misused(cmd *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
}

// settingFlags gives a command one flag for each setting.
func settingFlags(cmd *cobra.Command) {
	for _, s := range config.Names() {
		if config.IsBool(s.Name) {
			cmd.Flags().Bool(s.Name, s.Default == "true", s.Help)
		} else {
			cmd.Flags().String(s.Name, s.Default, s.Help)
		}
	}
	cmd.Flags().String("config", "", "YAML file with settings")
}

// loadSettings merges the flags that were given over everything else.
func loadSettings(cmd *cobra.Command) (*config.Loaded, error) {
	flags := map[string]string{}
	for _, s := range config.Names() {
		if f := cmd.Flags().Lookup(s.Name); f != nil && f.Changed {
			flags[s.Name] = f.Value.String()
		}
	}
	file, _ := cmd.Flags().GetString("config")
	if file == "" {
		file = os.Getenv("PSCEMU_CONFIG")
	}
	return config.Load(flags, os.Environ(), file)
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in effect and where each comes from",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			if l.Output == "json" {
				return printJSON(cmd, map[string]any{"items": l.Table})
			}
			rows := [][]string{}
			for _, s := range l.Table {
				rows = append(rows, []string{s.Name, s.Value, s.Origin, s.Help})
			}
			return printTable(cmd, []string{"SETTING", "VALUE", "FROM", "MEANS"}, rows)
		},
	}
	settingFlags(cmd)
	return cmd
}
