package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
)

// remote is the control API of the running server.
type remote struct {
	ready Ready
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
		r := &remote{Ready{APIURL: strings.TrimSuffix(server, "/") + "/api/v1", APIToken: token}}
		return r, r.call(http.MethodGet, "/ready", nil, &r.ready)
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
	r := &remote{}
	if err := json.Unmarshal(raw, &r.ready); err != nil {
		return nil, fmt.Errorf("%w: ready.json cannot be read: %w", errNoServer, err)
	}
	return r, nil
}

// call sends a request and decodes the answer into out, unless nil.
func (r *remote) call(method, path string, in, out any) error {
	data, err := r.raw(method, path, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(data, out)
}

func (r *remote) raw(method, path string, in any) ([]byte, error) {
	if in == nil {
		return r.send(method, path, nil)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return r.send(method, path, body)
}

// unanswered is the error of a call that brought no answer: nobody is there, or
// it broke off, here or there.
func (r *remote) unanswered(err error) error {
	if at := (*net.OpError)(nil); errors.As(err, &at) && at.Op == "dial" {
		return fmt.Errorf("%w at %s: %w", errNoServer, r.ready.APIURL, err)
	}
	return fmt.Errorf("the call broke off: %w", err)
}

// send calls the control API with a body as it is.
func (r *remote) send(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, r.ready.APIURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.ready.APIToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, r.unanswered(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, refused(resp, data)
	}
	return data, nil
}

// refused is the control API's reason, from the body of its answer.
func refused(resp *http.Response, body []byte) error {
	var p problem.Error
	if json.Unmarshal(body, &p) == nil && p.Reason != "" {
		return errors.New(p.Error() + " (" + p.Code + ")")
	}
	return fmt.Errorf("%s %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status)
}

func segment(id string) string { return "/" + url.PathEscape(id) }

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

// show prints one answer of the API as JSON.
func show(cmd *cobra.Command, method, path string, in any) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	data, err := r.raw(method, path, in)
	if err != nil || len(data) == 0 {
		return err
	}
	var v json.RawMessage = data
	return printJSON(cmd, v)
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
