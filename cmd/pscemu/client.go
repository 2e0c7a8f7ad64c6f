package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/internal/problem"
)

// remote is the control API of the running server.
type remote struct {
	ready Ready
	api   *api.ClientWithResponses // a call takes a minute at most
	long  *api.ClientWithResponses // a call takes as long as what it sends and reads
}

// remoteAt opens the control API of a server.
func remoteAt(cmd *cobra.Command, ready Ready) (*remote, error) {
	r := &remote{ready: ready}
	agent := "pscemu " + cmd.Name() // the journal says who it was
	var err error
	if r.api, err = api.Open(ready.APIURL, ready.APIToken, agent, &http.Client{Timeout: time.Minute}); err != nil {
		return nil, err
	}
	r.long, err = api.Open(ready.APIURL, ready.APIToken, agent, nil)
	return r, err
}

// remoteFlags are those of every command that speaks to a running server.
func remoteFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().String("data", "", "data folder of the running server")
	cmd.PersistentFlags().String("server", "", "console address of the running server, instead of --data")
	cmd.PersistentFlags().String("token", "", "its API token, with --server")
	cmd.PersistentFlags().String("output", "text", "text or json")
}

func connect(cmd *cobra.Command) (*remote, error) {
	server, _ := cmd.Flags().GetString("server")
	token, _ := cmd.Flags().GetString("token")
	if server != "" {
		r, err := remoteAt(cmd, Ready{APIURL: strings.TrimSuffix(server, "/") + "/api/v1", APIToken: token})
		if err != nil {
			return nil, err
		}
		answer, err := r.api.GetReadyWithResponse(cmd.Context())
		if err := r.done(answer, err); err != nil {
			return nil, err
		}
		return r, json.Unmarshal(answer.Body, &r.ready)
	}
	data, _ := cmd.Flags().GetString("data")
	if data == "" {
		data = os.Getenv("PSCEMU_DATA")
	}
	dir, err := (&config.Settings{Data: data}).DataDir()
	if err != nil {
		return nil, err
	}
	raw, err := config.ReadRegular(filepath.Join(dir, "ready.json"), config.Largest)
	if err != nil {
		return nil, fmt.Errorf(
			"%w: %s holds no ready.json; start one with: pscemu serve --data %s",
			errNoServer,
			dir,
			dir,
		)
	}
	var ready Ready
	if err := json.Unmarshal(raw, &ready); err != nil {
		return nil, fmt.Errorf("%w: ready.json cannot be read: %w", errNoServer, err)
	}
	return remoteAt(cmd, ready)
}

// done is why an operation was not done, nil when it was.
func (r *remote) done(answer api.Answer, err error) error {
	if err != nil {
		return r.unanswered(err)
	}
	return refused(api.Refused(answer, nil))
}

// unanswered is the error of a call that brought no answer: nobody is there, or
// it broke off, here or there.
func (r *remote) unanswered(err error) error {
	if at := (*net.OpError)(nil); errors.As(err, &at) && at.Op == "dial" {
		return fmt.Errorf("%w at %s: %w", errNoServer, r.ready.APIURL, err)
	}
	return fmt.Errorf("the call broke off: %w", err)
}

// refused is the control API's reason as the terminal says it.
func refused(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return errors.New(p.Error() + " (" + p.Code + ")")
	}
	return err
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = fmt.Sprint(v[i])
		}
		return strings.Join(parts, ",")
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+"="+fmt.Sprint(v[key]))
		}
		return strings.Join(parts, ",")
	case string:
		return toTheSecond(v)
	}
	return fmt.Sprint(v)
}

// toTheSecond is a text as a column shows it: times without their fractions.
func toTheSecond(text string) string {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.Format(time.RFC3339)
	}
	return text
}

// ask calls one operation of the control API with a command's arguments.
type ask func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error)

// remoteCommand makes a command of n arguments that prints what an operation
// answers, as JSON.
func remoteCommand(use, short string, n int, ask ask) *cobra.Command {
	return command(use, short, n, func(cmd *cobra.Command, a []string) error {
		r, err := connect(cmd)
		if err != nil {
			return err
		}
		return r.show(cmd)(ask(r, cmd, a))
	})
}

// show prints an answer of the API as JSON.
func (r *remote) show(cmd *cobra.Command) func(answer api.Answer, err error) error {
	return func(answer api.Answer, err error) error {
		if err := r.done(answer, err); err != nil || len(answer.GetBody()) == 0 {
			return err
		}
		return printJSON(cmd, json.RawMessage(answer.GetBody()))
	}
}

func wantsJSON(cmd *cobra.Command) bool {
	o, _ := cmd.Flags().GetString("output")
	return o == "json"
}

func printJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printJSONLine(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func printTable(cmd *cobra.Command, head []string, rows [][]string) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
