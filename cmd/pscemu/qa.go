package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/spf13/cobra"

	medic "pscemu/doctor"
)

// newScenario loads and saves situations.
func newScenario() *cobra.Command {
	load := command("load FILE", "Load a scenario (- for standard input)", 1, func(cmd *cobra.Command, a []string) error {
		raw, err := readInput(a[0])
		if err != nil {
			return err
		}
		r, err := connect(cmd)
		if err != nil {
			return err
		}
		reset, _ := cmd.Flags().GetBool("reset")
		_, err = r.send(http.MethodPost, fmt.Sprintf("/scenarios?reset=%v", reset), raw)
		return err
	})
	load.Flags().Bool("reset", false, "begin with the personas alone")
	save := command("save FILE", "Save the present situation as a scenario (- for standard output)", 1, func(cmd *cobra.Command, a []string) error {
		r, err := connect(cmd)
		if err != nil {
			return err
		}
		raw, err := r.raw(http.MethodGet, "/scenarios/current", nil)
		if err != nil {
			return err
		}
		if a[0] == "-" {
			_, err = cmd.OutOrStdout().Write(raw)
			return err
		}
		return os.WriteFile(a[0], raw, 0o600)
	})
	link := command("link FILE", "Print a link that shows the scenario on the console, to be entered there", 1, func(cmd *cobra.Command, a []string) error {
		raw, err := readInput(a[0])
		if err != nil {
			return err
		}
		r, err := connect(cmd)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), r.ready.ConsoleURL+"/scenario?load="+base64.RawURLEncoding.EncodeToString(raw))
		return nil
	})
	return group("scenario", "Situations as short files: people, cards, behaviours, faults, clock, settings", load, save, link)
}

// readInput reads a file or a pipe, or standard input for -.
func readInput(file string) ([]byte, error) {
	f, err := openInput(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// openInput opens a file or a pipe, or standard input for -. A device may never
// end, so only those that do, or that a person ends, are taken.
func openInput(file string) (*os.File, error) {
	if file == "-" {
		return os.Stdin, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	ends := slices.Contains([]string{os.DevNull, "/dev/stdin", "/dev/fd/0"}, file)
	if info.Mode()&os.ModeDevice != 0 && !ends {
		return nil, usageError{fmt.Errorf("%s is a device; give a file, a pipe, or - for standard input", file)}
	}
	return os.Open(file)
}

// newDoctor examines the running emulator and, with --app, an application.
func newDoctor() *cobra.Command {
	cmd := command("doctor", "Find what keeps a first login from working: host names, trust, clock, redirect URIs, certificates", 0, runDoctor)
	remoteFlags(cmd)
	cmd.Flags().String("app", "", "URL of the application that begins a login")
	return cmd
}

func runDoctor(cmd *cobra.Command, _ []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	app, _ := cmd.Flags().GetString("app")
	var list struct {
		Items []medic.Finding `json:"items"`
	}
	if err := r.call(http.MethodGet, "/doctor?app="+url.QueryEscape(app), nil, &list); err != nil {
		return err
	}
	var failed error
	marks := map[medic.Grade]string{medic.Good: "✓", medic.Warning: "!", medic.Bad: "✗"}
	for _, f := range list.Items {
		if f.Grade == medic.Bad {
			failed = errors.New("something keeps logins from working")
		}
		if wantsJSON(cmd) {
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %-18s %s\n", marks[f.Grade], f.What, f.Found)
		if f.Remedy != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "  %-18s → %s\n", "", f.Remedy)
		}
	}
	if wantsJSON(cmd) {
		if err := printJSON(cmd, list); err != nil {
			return err
		}
	}
	return failed
}
