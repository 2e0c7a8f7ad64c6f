package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/lab/conformance"
)

// newConformance checks the running emulator as the OpenID Foundation's suite
// would. It brings its own clients and person, moves the emulator's clock, and
// takes everything back at its end.
func newConformance() *cobra.Command {
	cmd := command(
		"conformance",
		"Check the running emulator, module by module, as the OpenID Foundation's suite does",
		0,
		runConformance,
	)
	remoteFlags(cmd)
	return cmd
}

func runConformance(cmd *cobra.Command, _ []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	roots, err := r.roots()
	if err != nil {
		return err
	}
	t, cleanup, err := conformance.Prepare(cmd.Context(), r.api, r.ready.Issuer, roots)
	defer cleanup()
	if err != nil {
		return refused(err)
	}
	results, failed := []conformance.Result{}, 0
	conformance.Run(t, func(result conformance.Result) {
		results = append(results, result)
		if result.Verdict == conformance.Failed {
			failed++
		}
	})
	if wantsJSON(cmd) {
		err = printJSON(cmd, map[string]any{"items": results})
	} else {
		conformance.Print(cmd.OutOrStdout(), results)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d checks failed", failed)
	}
	return err
}
