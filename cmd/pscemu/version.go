package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// described is what `git describe` says of the source. The Makefile and the
// container's build set it.
var described string

// version is this program's: what git describes; else the module's version,
// which `go install …@version` records; else the revision that was built.
var version = func() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(described, info)
}()

func versionOf(described string, info *debug.BuildInfo) string {
	switch {
	case described != "":
		return described
	case info == nil:
		return "unknown"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	found := map[string]string{}
	for _, s := range info.Settings {
		found[s.Key] = s.Value
	}
	revision := found["vcs.revision"]
	if revision == "" {
		return "devel"
	}
	if found["vcs.modified"] == "true" {
		return revision[:min(7, len(revision))] + "-dirty"
	}
	return revision[:min(7, len(revision))]
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "pscemu "+version)
		},
	}
}
