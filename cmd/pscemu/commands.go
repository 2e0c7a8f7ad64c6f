package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/emulator"
)

// group makes a command that only holds others.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("%s needs a subcommand; see pscemu %s --help", cmd.Name(), cmd.Name())}
		},
	}
	remoteFlags(cmd)
	cmd.AddCommand(sub...)
	return cmd
}

// command makes one that takes exactly n arguments.
func command(use, short string, n int, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: usage(cobra.ExactArgs(n)), RunE: run}
}

func newIdentities() *cobra.Command {
	list := withLimit(command("list", "List the people", 0, func(cmd *cobra.Command, _ []string) error {
		q, _ := cmd.Flags().GetString("search")
		return listing(cmd, "/identities?q="+url.QueryEscape(q), "national_id", "name", "means", "behaviour", "notes")
	}))
	list.Flags().String("search", "", "part of a name or national id")
	return group(
		"identities",
		"The people who log in",
		list,
		newGenerate(),
		newImport(),
		newExport(),
		newMagic(),
		command("show ID", "Show one person", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodGet, "/identities"+segment(a[0]), nil)
		}),
		command("claims ID", "Show what a relying party would receive", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodGet, "/identities"+segment(a[0])+"/claims", nil)
		}),
		command("restore ID", "Undo a delete", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodPost, "/identities"+segment(a[0])+"/restore", nil)
		}),
		command(
			"delete ID",
			"Delete a person; restore undoes it for a day",
			1,
			func(cmd *cobra.Command, a []string) error {
				return show(cmd, http.MethodDelete, "/identities"+segment(a[0]), nil)
			},
		),
	)
}

func newCards() *cobra.Command {
	export := command(
		"export SERIAL",
		"Write the card's certificate and key as PKCS#12, or the whole card as a PKCS#11 token of SoftHSM",
		1,
		func(cmd *cobra.Command, a []string) error {
			file, _ := cmd.Flags().GetString("p12")
			password, _ := cmd.Flags().GetString("password")
			legacy, _ := cmd.Flags().GetBool("legacy")
			use := cards.ForAuthentication
			if sign, _ := cmd.Flags().GetBool("sign"); sign {
				use = cards.ForSignature
			}
			r, err := connect(cmd)
			if err != nil {
				return err
			}
			if dir, _ := cmd.Flags().GetString("softhsm"); dir != "" {
				return exportSoftHSM(cmd, r, a[0], dir)
			}
			data, err := r.raw(
				http.MethodGet,
				"/cards"+segment(
					a[0],
				)+"/p12?"+url.Values{
					"password": {password},
					"legacy":   {fmt.Sprint(legacy)},
					"use":      {string(use)},
				}.Encode(),
				nil,
			)
			if err != nil {
				return err
			}
			return os.WriteFile(file, data, 0o600)
		},
	)
	export.Flags().String("p12", "card.p12", "file to write")
	export.Flags().String("password", "pscemu", "its password")
	export.Flags().String("softhsm", "", "folder of a PKCS#11 token to write instead (needs softhsm2 and opensc)")
	export.Flags().Bool("sign", false, "the certificate that signs, not the one that logs in")
	export.Flags().Bool("legacy", false, "as old stores need it (3DES, SHA-1)")
	list := withLimit(command("list", "List the cards", 0, func(cmd *cobra.Command, _ []string) error {
		id, _ := cmd.Flags().GetString("identity")
		return listing(
			cmd,
			"/cards?national_id="+url.QueryEscape(id),
			"serial",
			"type",
			"state",
			"national_id",
			"holder",
		)
	}))
	list.Flags().String("identity", "", "of this person only")
	issue := command(
		"issue ID TYPE",
		"Issue a card: CPS, CPF, CPE, CDE, CPA or CDA",
		2,
		func(cmd *cobra.Command, a []string) error {
			pin, _ := cmd.Flags().GetString("pin")
			production, _ := cmd.Flags().GetBool("production")
			return show(
				cmd,
				http.MethodPost,
				"/cards",
				map[string]any{"national_id": a[0], "type": a[1], "pin": pin, "production": production},
			)
		},
	)
	issue.Flags().
		Bool("production", false, "like a card of production, which the sandbox refuses (setting cards-accepted)")
	issue.Flags().String("pin", "1234", "code porteur")
	unblock := command(
		"unblock SERIAL",
		"Unblock a card: with authority, or with its unblocking code",
		1,
		func(cmd *cobra.Command, a []string) error {
			in := map[string]string{}
			if puk, _ := cmd.Flags().GetString("puk"); puk != "" {
				in["puk"] = puk
				in["pin"], _ = cmd.Flags().GetString("pin")
			}
			return show(cmd, http.MethodPost, "/cards"+segment(a[0])+"/unblock", in)
		},
	)
	unblock.Flags().String("puk", "", "unblocking code, 8 digits")
	unblock.Flags().String("pin", "1234", "new code porteur, with --puk")
	return group(
		"cards",
		"The cards",
		list,
		export,
		issue,
		unblock,
		newTestCards(),
		command(
			"renew SERIAL",
			"Renew a card: the new one takes its place",
			1,
			func(cmd *cobra.Command, a []string) error {
				return show(cmd, http.MethodPost, "/cards"+segment(a[0])+"/renew", nil)
			},
		),
		command(
			"kit NAME",
			"Make a kit of test cards with its people: integration, hospital, practice, pharmacy, lab, ambulance, vendor",
			1,
			issueKit,
		),
		command("insert SERIAL", "Put a card into the virtual reader", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodPut, "/reader", map[string]string{"card": a[0]})
		}),
		command("pull", "Pull the card out of the virtual reader", 0, func(cmd *cobra.Command, _ []string) error {
			return show(cmd, http.MethodDelete, "/reader", nil)
		}),
		command("oppose SERIAL", "Put a card out of use", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodPost, "/cards"+segment(a[0])+"/oppose", nil)
		}),
	)
}

func newTestCards() *cobra.Command {
	cmd := command(
		"test PROFESSION",
		"Make individual test cards with their people: a code of a profession, or CPE, CDE, CPA, CDA",
		1,
		func(cmd *cobra.Command, a []string) error {
			count, _ := cmd.Flags().GetInt("count")
			return printCards(cmd, "/cards/test", map[string]any{"profession": a[0], "count": count})
		},
	)
	cmd.Flags().Int("count", 1, "how many")
	return cmd
}

func issueKit(cmd *cobra.Command, a []string) error {
	return printCards(cmd, "/cards/kits"+segment(a[0]), nil)
}

// printCards makes cards and prints them.
func printCards(cmd *cobra.Command, path string, in any) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	var list struct{ Items []cards.Card }
	if err := r.call(http.MethodPost, path, in, &list); err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, map[string]any{"items": list.Items})
	}
	rows := [][]string{}
	for _, c := range list.Items {
		rows = append(rows, []string{c.Serial, string(c.Type), string(c.State), c.NationalID, c.Holder, c.PIN})
	}
	return printTable(cmd, []string{"SERIAL", "TYPE", "STATE", "NATIONAL_ID", "HOLDER", "CODE_PORTEUR"}, rows)
}

func newCertificates() *cobra.Command {
	issue := command("issue", "Issue a certificate for a client", 0, issueCertificate)
	issue.Flags().String("client", emulator.DemoID, "client_id, which becomes the CN")
	issue.Flags().String("profile", "AUTH_CLI", "AUTH_CLI, SIGN, CONF or SSL_SERV")
	issue.Flags().String("key", "rsa2048", "key to make: rsa2048, rsa3072, rsa4096 or ecdsa")
	issue.Flags().String("csr", "", "certificate request (PEM) instead of a key made here")
	issue.Flags().String("out", ".", "folder to write to")
	faulty := command(
		"broken DIR",
		"Write certificates with something odd about them, and what a correct peer must do with each",
		1,
		writeFaulty,
	)
	faulty.Flags().String("client", emulator.DemoID, "client they are for")
	list := withLimit(command("list", "List the certificates", 0, func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		for flag, name := range map[string]string{"client": "client_id", "card": "card", "state": "state", "search": "q"} {
			v, _ := cmd.Flags().GetString(flag)
			q.Set(name, v)
		}
		return listing(cmd, "/certificates?"+q.Encode(), "serial", "profile", "state", "subject", "not_after")
	}))
	list.Flags().String("client", "", "of this client only")
	list.Flags().String("card", "", "of the card with this serial only")
	list.Flags().String("state", "", "valid or revoked")
	list.Flags().String("search", "", "part of the subject")
	return group("certificates", "The software certificates", issue, faulty, list,
		command("revoke SERIAL", "Revoke a certificate", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodPost, "/certificates"+segment(a[0])+"/revoke", nil)
		}))
}

func issueCertificate(cmd *cobra.Command, _ []string) error {
	client, _ := cmd.Flags().GetString("client")
	profile, _ := cmd.Flags().GetString("profile")
	dir, _ := cmd.Flags().GetString("out")
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	var issued api.Issued
	in := map[string]string{"client_id": client, "profile": profile}
	in["key"], _ = cmd.Flags().GetString("key")
	if csr, _ := cmd.Flags().GetString("csr"); csr != "" {
		raw, err := readInput(csr)
		if err != nil {
			return err
		}
		in["csr"] = string(raw)
	}
	if err := r.call(http.MethodPost, "/certificates", in, &issued); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base := filepath.Join(dir, url.PathEscape(client)+"-"+issued.Serial[:8])
	said := map[string]string{"serial": issued.Serial}
	for kind, data := range map[string][]byte{"certificate_file .pem": []byte(issued.Certificate), "key_file .key": []byte(issued.Key), "p12_file .p12": issued.PKCS12} {
		if len(data) == 0 {
			continue // the key of a request is where the request was made
		}
		key, ending, _ := strings.Cut(kind, " ")
		said[key] = base + ending
		if err := os.WriteFile(base+ending, data, 0o600); err != nil {
			return err
		}
	}
	return printJSON(cmd, said)
}

// writeFaulty writes each faulty certificate with its key, and an index.
func writeFaulty(cmd *cobra.Command, a []string) error {
	client, _ := cmd.Flags().GetString("client")
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	var list struct{ Items []pki.Faulty }
	if err := r.call(
		http.MethodGet,
		"/certificates/broken?client_id="+url.QueryEscape(client),
		nil,
		&list,
	); err != nil {
		return err
	}
	if err := os.MkdirAll(a[0], 0o700); err != nil {
		return err
	}
	index := []map[string]string{}
	rows := [][]string{}
	for _, b := range list.Items {
		base := filepath.Join(a[0], b.Name)
		if err := errors.Join(
			os.WriteFile(base+".pem", b.Chain, 0o600),
			os.WriteFile(base+".key", b.Key, 0o600),
		); err != nil {
			return err
		}
		index = append(
			index,
			map[string]string{
				"name":             b.Name,
				"odd":              b.Fault,
				"must":             string(b.Must),
				"code":             b.Code,
				"sha256":           b.Finger,
				"certificate_file": base + ".pem",
				"key_file":         base + ".key",
			},
		)
		rows = append(rows, []string{b.Name, string(b.Must), b.Fault})
	}
	raw, err := json.MarshalIndent(index, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(a[0], "index.json"), raw, 0o600)
	}
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, map[string]any{"items": index})
	}
	return printTable(cmd, []string{"NAME", "A CORRECT PEER MUST", "WHAT IS ODD"}, rows)
}

func newOpenAPI() *cobra.Command {
	return command(
		"openapi",
		"Print the control API's description (OpenAPI 3.1)",
		0,
		func(cmd *cobra.Command, _ []string) error {
			described := api.API{Version: version, URL: "http://127.0.0.1:9440"}
			return printJSON(cmd, json.RawMessage(described.OpenAPI()))
		},
	)
}
