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

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	console "pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/api"
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
		return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
			return r.api.ListIdentitiesWithResponse(cmd.Context(),
				&api.ListIdentitiesParams{Q: q, Limit: limit, After: after})
		}, "national_id", "name", "means", "behaviour", "notes")
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
		remoteCommand("show ID", "Show one person", 1, func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			return r.api.GetIdentityWithResponse(cmd.Context(), a[0])
		}),
		remoteCommand("claims ID", "Show what a relying party would receive", 1, claimsOf),
		remoteCommand("restore ID", "Undo a delete", 1, func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			return r.api.RestoreIdentityWithResponse(cmd.Context(), a[0])
		}),
		remoteCommand("delete ID", "Delete a person; restore undoes it for a day", 1, deletePerson),
	)
}

func claimsOf(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
	return r.api.GetClaimsWithResponse(cmd.Context(), a[0], &api.GetClaimsParams{})
}

func deletePerson(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
	return r.api.DeleteIdentityWithResponse(cmd.Context(), a[0])
}

func newCards() *cobra.Command {
	return group(
		"cards",
		"The cards",
		newCardList(),
		newCardExport(),
		newCardIssue(),
		newUnblock(),
		newTestCards(),
		remoteCommand("renew SERIAL", "Renew a card: the new one takes its place", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.RenewCardWithResponse(cmd.Context(), a[0])
			}),
		command(
			"kit NAME",
			"Make a kit of test cards with its people: integration, hospital, practice, pharmacy, lab, ambulance, vendor",
			1,
			issueKit,
		),
		remoteCommand("insert SERIAL", "Put a card into the virtual reader", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.InsertCardWithResponse(cmd.Context(), api.Insertion{Card: a[0]})
			}),
		remoteCommand("pull", "Pull the card out of the virtual reader", 0,
			func(r *remote, cmd *cobra.Command, _ []string) (api.Answer, error) {
				return r.api.PullOutCardWithResponse(cmd.Context())
			}),
		remoteCommand("oppose SERIAL", "Put a card out of use", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.OpposeCardWithResponse(cmd.Context(), a[0], api.Opposition{})
			}),
	)
}

func newCardExport() *cobra.Command {
	cmd := command(
		"export SERIAL",
		"Write the card's certificate and key as PKCS#12, or the whole card as a PKCS#11 token of SoftHSM",
		1,
		exportCard,
	)
	cmd.Flags().String("p12", "card.p12", "file to write")
	cmd.Flags().String("password", "pscemu", "its password")
	cmd.Flags().String("softhsm", "", "folder of a PKCS#11 token to write instead (needs softhsm2 and opensc)")
	cmd.Flags().Bool("sign", false, "the certificate that signs, not the one that logs in")
	cmd.Flags().Bool("legacy", false, "as old stores need it (3DES, SHA-1)")
	return cmd
}

func exportCard(cmd *cobra.Command, a []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	if dir, _ := cmd.Flags().GetString("softhsm"); dir != "" {
		return exportSoftHSM(cmd, r, a[0], dir)
	}
	file, _ := cmd.Flags().GetString("p12")
	in := &api.GetCardP12Params{Use: string(cards.ForAuthentication)}
	in.Password, _ = cmd.Flags().GetString("password")
	in.Legacy, _ = cmd.Flags().GetBool("legacy")
	if sign, _ := cmd.Flags().GetBool("sign"); sign {
		in.Use = string(cards.ForSignature)
	}
	answer, err := r.api.GetCardP12WithResponse(cmd.Context(), a[0], in)
	if err := r.done(answer, err); err != nil {
		return err
	}
	return os.WriteFile(file, answer.Body, 0o600)
}

func newCardList() *cobra.Command {
	cmd := withLimit(command("list", "List the cards", 0, func(cmd *cobra.Command, _ []string) error {
		id, _ := cmd.Flags().GetString("identity")
		return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
			return r.api.ListCardsWithResponse(cmd.Context(),
				&api.ListCardsParams{NationalId: id, Limit: limit, After: after})
		}, "serial", "type", "state", "national_id", "holder")
	}))
	cmd.Flags().String("identity", "", "of this person only")
	return cmd
}

func newCardIssue() *cobra.Command {
	cmd := remoteCommand("issue ID TYPE", "Issue a card: CPS, CPF, CPE, CDE, CPA or CDA", 2,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			in := api.CardRequest{NationalId: a[0], Type: a[1]}
			in.Pin, _ = cmd.Flags().GetString("pin")
			in.Production, _ = cmd.Flags().GetBool("production")
			return r.api.IssueCardWithResponse(cmd.Context(), in)
		})
	cmd.Flags().
		Bool("production", false, "like a card of production, which the sandbox refuses (setting cards-accepted)")
	cmd.Flags().String("pin", "1234", "code porteur")
	return cmd
}

func newUnblock() *cobra.Command {
	cmd := remoteCommand("unblock SERIAL", "Unblock a card: with authority, or with its unblocking code", 1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			in := api.Unblocking{}
			if in.Puk, _ = cmd.Flags().GetString("puk"); in.Puk != "" {
				in.Pin, _ = cmd.Flags().GetString("pin")
			}
			return r.api.UnblockCardWithResponse(cmd.Context(), a[0], in)
		})
	cmd.Flags().String("puk", "", "unblocking code, 8 digits")
	cmd.Flags().String("pin", "1234", "new code porteur, with --puk")
	return cmd
}

func newTestCards() *cobra.Command {
	cmd := command(
		"test PROFESSION",
		"Make individual test cards with their people: a code of a profession, or CPE, CDE, CPA, CDA",
		1,
		func(cmd *cobra.Command, a []string) error {
			count, _ := cmd.Flags().GetInt("count")
			return printCards(cmd, func(r *remote) (api.Answer, error) {
				return r.api.IssueTestCardsWithResponse(cmd.Context(), api.TestCards{Profession: a[0], Count: count})
			})
		},
	)
	cmd.Flags().Int("count", 1, "how many")
	return cmd
}

func issueKit(cmd *cobra.Command, a []string) error {
	return printCards(cmd, func(r *remote) (api.Answer, error) {
		return r.api.IssueKitWithResponse(cmd.Context(), a[0])
	})
}

// printCards makes cards and prints them.
func printCards(cmd *cobra.Command, issue func(r *remote) (api.Answer, error)) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	var list struct{ Items []cards.Card }
	answer, err := issue(r)
	if err := r.done(answer, err); err != nil {
		return err
	}
	if err := json.Unmarshal(answer.GetBody(), &list); err != nil {
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
		in := api.ListCertificatesParams{}
		in.ClientId, _ = cmd.Flags().GetString("client")
		in.Card, _ = cmd.Flags().GetString("card")
		in.State, _ = cmd.Flags().GetString("state")
		in.Q, _ = cmd.Flags().GetString("search")
		return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
			in.Limit, in.After = limit, after
			return r.api.ListCertificatesWithResponse(cmd.Context(), &in)
		}, "serial", "profile", "state", "subject", "not_after")
	}))
	list.Flags().String("client", "", "of this client only")
	list.Flags().String("card", "", "of the card with this serial only")
	list.Flags().String("state", "", "valid or revoked")
	list.Flags().String("search", "", "part of the subject")
	return group("certificates", "The software certificates", issue, faulty, list,
		remoteCommand("revoke SERIAL", "Revoke a certificate", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.RevokeCertificateWithResponse(cmd.Context(), a[0])
			}))
}

func issueCertificate(cmd *cobra.Command, _ []string) error {
	dir, _ := cmd.Flags().GetString("out")
	in := api.CertificateRequest{}
	in.ClientId, _ = cmd.Flags().GetString("client")
	in.Profile, _ = cmd.Flags().GetString("profile")
	in.Key, _ = cmd.Flags().GetString("key")
	if csr, _ := cmd.Flags().GetString("csr"); csr != "" {
		raw, err := readInput(csr)
		if err != nil {
			return err
		}
		in.Csr = string(raw)
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	answer, err := r.api.IssueCertificateWithResponse(cmd.Context(), in)
	if err := r.done(answer, err); err != nil {
		return err
	}
	return writeIssued(cmd, dir, in.ClientId, answer.JSON201)
}

// writeIssued writes a certificate, its key and both together into a folder.
func writeIssued(cmd *cobra.Command, dir, client string, issued *api.Issued) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base := filepath.Join(dir, url.PathEscape(client)+"-"+issued.Serial[:8])
	said := map[string]string{"serial": issued.Serial}
	for kind, data := range map[string][]byte{
		"certificate_file .pem": []byte(issued.Certificate),
		"key_file .key":         []byte(issued.Key),
		"p12_file .p12":         issued.P12,
	} {
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
	answer, err := r.api.ListBrokenCertificatesWithResponse(cmd.Context(),
		&api.ListBrokenCertificatesParams{ClientId: client})
	if err := r.done(answer, err); err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, &list); err != nil {
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
			described := console.API{Version: version, URL: "http://127.0.0.1:9440"}
			return printJSON(cmd, json.RawMessage(described.OpenAPI()))
		},
	)
}
