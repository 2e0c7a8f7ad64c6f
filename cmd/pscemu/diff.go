package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/lab/drift"
)

func newDiff() *cobra.Command {
	cmd := command("diff DIR", "Compare recorded answers of the real sandbox with the emulator's", 1, runDiff)
	cmd.Long = "DIR holds what the real sandbox answered, as JSON files: " + strings.Join(
		drift.Documents,
		", ",
	) + " (those there are).\n" +
		"The emulator logs the same person in, when it knows them, and every field that differs is printed. " +
		"Exit code 1 when one does."
	remoteFlags(cmd)
	cmd.Flags().Bool("record", false, "write the emulator's own answers into DIR instead")
	cmd.Flags().String("identity", "", "person to log in; the recorded one when empty")
	return cmd
}

func runDiff(cmd *cobra.Command, args []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	recorded, err := readRecorded(args[0])
	if err != nil {
		return err
	}
	if record, _ := cmd.Flags().GetBool("record"); record {
		return r.record(cmd, args[0], recorded)
	}
	if len(recorded) == 0 {
		return usageError{fmt.Errorf("%s holds none of %s", args[0], strings.Join(drift.Documents, ", "))}
	}
	l, samePerson := r.sameLogin(cmd, recorded)
	ours, err := r.answers(l)
	if err != nil {
		return err
	}
	found := []drift.Drift{}
	for _, name := range drift.Documents {
		if recorded[name] == nil {
			continue
		}
		d, err := drift.Compare(name, recorded[name], ours[name], samePerson)
		if err != nil {
			return err
		}
		found = append(found, d...)
	}
	return report(cmd, found, len(recorded), samePerson)
}

func report(cmd *cobra.Command, found []drift.Drift, documents int, samePerson bool) error {
	if wantsJSON(cmd) {
		if err := printJSON(cmd, map[string]any{"items": found}); err != nil {
			return err
		}
	} else {
		for _, d := range found {
			fmt.Fprintf(
				cmd.OutOrStdout(),
				"%s  %s  %s: recorded %q, here %q\n",
				d.Document,
				d.Field,
				d.Kind,
				d.Recorded,
				d.Ours,
			)
		}
		note := ""
		if !samePerson {
			note = " (the recorded person is not in the emulator: compared by shape)"
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d documents, %d differences%s\n", documents, len(found), note)
	}
	if len(found) > 0 {
		return errors.New("the answers drift")
	}
	return nil
}

// readRecorded reads the files that are there; others are refused by name.
func readRecorded(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		name := drift.DocumentOf(e.Name())
		if name == "" || out[name] != nil {
			return nil, usageError{
				fmt.Errorf(
					"%s: expected one each of %s, or names that hold those words",
					e.Name(),
					strings.Join(drift.Documents, ", "),
				),
			}
		}
		if out[name], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *remote) record(cmd *cobra.Command, dir string, there map[string][]byte) error {
	if len(there) > 0 {
		return fmt.Errorf("%s holds recorded answers already; choose an empty folder", dir)
	}
	l, _ := r.sameLogin(cmd, nil)
	ours, err := r.answers(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, body := range ours {
		if err := os.WriteFile(filepath.Join(dir, name), append(body, '\n'), 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d answers written to %s\n", len(ours), dir)
	return nil
}

// sameLogin reads the recorded answers for what to ask: person, means, scope,
// acr, nonce. It tells whether the emulator knows the person.
func (r *remote) sameLogin(cmd *cobra.Command, recorded map[string][]byte) (loginOf, bool) {
	l := loginOf{
		client:   emulator.DemoID,
		means:    "ecps",
		scope:    "openid scope_all",
		acr:      "eidas1",
		redirect: "http://localhost:8080/callback",
		nonce:    "nonce",
		skip:     []rp.Name{rp.IDTokenLevel}, // asked as it was recorded, whatever came then
	}
	var token struct {
		Scope string `json:"scope"`
		ID    string `json:"id_token"`
	}
	var info, id struct {
		Username string  `json:"preferred_username"`
		AuthMode string  `json:"authMode"`
		ACR      string  `json:"acr"`
		Nonce    *string `json:"nonce"`
	}
	_ = json.Unmarshal(recorded["token.json"], &token)
	_ = json.Unmarshal(recorded["userinfo.json"], &info)
	_ = json.Unmarshal(payload(token.ID), &id)
	if token.Scope != "" {
		l.scope = token.Scope
	}
	if id.ACR != "" {
		l.acr = id.ACR
	}
	if id.Nonce != nil && *id.Nonce == "" {
		l.nonce = ""
	}
	if info.AuthMode == "CARD" || id.AuthMode == "CARD" {
		l.means = "card"
	}
	l.identity, _ = cmd.Flags().GetString("identity")
	for _, who := range []string{l.identity, info.Username, id.Username} {
		if who != "" && r.done(r.api.GetIdentityWithResponse(cmd.Context(), who)) == nil {
			l.identity = who
			return l, who == info.Username || who == id.Username
		}
	}
	l.identity = r.ready.Personas[0].NationalID
	return l, recorded == nil
}

// answers are what the emulator says, byte for byte.
func (r *remote) answers(l loginOf) (map[string][]byte, error) {
	c, err := r.backChannel("", "")
	if err != nil {
		return nil, err
	}
	done, err := r.login(c, l)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{"token.json": done.Tokens.Raw, "userinfo.json": done.UserInfo}
	realm := r.ready.Issuer + "/protocol/openid-connect"
	for name, get := range map[string]func() (json.RawMessage, error){
		"discovery.json": func() (json.RawMessage, error) { return getJSON(c, r.ready.Discovery, "") },
		"jwks.json":      func() (json.RawMessage, error) { return getJSON(c, realm+"/certs", "") },
		"introspection.json": func() (json.RawMessage, error) {
			return postForm(c, realm+"/token/introspect", url.Values{"client_id": {l.client}, "token": {done.Tokens.Access}})
		},
	} {
		if out[name], err = get(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
