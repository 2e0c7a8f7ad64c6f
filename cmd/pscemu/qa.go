package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/api"
	medic "pscemu.invalid/pscemu/lab/doctor"
)

// newScenario loads and saves situations.
func newScenario() *cobra.Command {
	load := command("load FILE", "Load a scenario, all of it or nothing (- for standard input)", 1, loadScenario)
	load.Flags().Bool("reset", false, "begin with the personas alone")
	save := command("save FILE", "Save the present situation as a scenario (- for standard output)", 1, saveScenario)
	link := command(
		"link FILE",
		"Print a link that shows the scenario on the console, to be entered there",
		1,
		linkScenario,
	)
	return group(
		"scenario",
		"Situations as short files: people, cards, behaviours, faults, clock, settings",
		load,
		save,
		link,
	)
}

func loadScenario(cmd *cobra.Command, a []string) error {
	in, err := openInput(a[0])
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	reset, _ := cmd.Flags().GetBool("reset")
	job, err := r.stream(r.long.LoadScenarioWithBody(cmd.Context(), &api.LoadScenarioParams{Reset: reset, Async: true},
		"application/octet-stream", in, sized(sizeOf(in))))
	if err != nil {
		return err
	}
	return r.work(cmd, job, nil)
}

// saveScenario writes beside the file first: one that is there stays whole when
// the server breaks off.
func saveScenario(cmd *cobra.Command, a []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	resp, err := r.stream(r.long.GetScenario(cmd.Context(), &api.GetScenarioParams{}))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := resp.Body
	if a[0] == "-" {
		_, err := io.Copy(cmd.OutOrStdout(), answer)
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(a[0]), ".scenario-*") // 0600
	if err != nil {
		return err
	}
	_, err = io.Copy(part, answer)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), a[0])
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// maxLink is how long an address may be for every browser and proxy to take it.
const maxLink = 8000

func linkScenario(cmd *cobra.Command, a []string) error {
	raw, err := readInput(a[0])
	if err != nil {
		return err
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	link := r.ready.ConsoleURL + "/scenario?load=" + base64.RawURLEncoding.EncodeToString(raw)
	if len(link) > maxLink {
		return fmt.Errorf(
			"the scenario is too long for a link: it would have %d characters, and browsers and proxies take %d; "+
				"hand the file on, and load it with `pscemu scenario load`",
			len(link),
			maxLink,
		)
	}
	fmt.Fprintln(cmd.OutOrStdout(), link)
	return nil
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
	cmd := command(
		"doctor",
		"Find what keeps a first login from working: host names, trust, clock, redirect URIs, certificates",
		0,
		runDoctor,
	)
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
	answer, err := r.api.ExamineWithResponse(cmd.Context(), &api.ExamineParams{App: app})
	if err := r.done(answer, err); err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, &list); err != nil {
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
