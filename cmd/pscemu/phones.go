package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func newECPS() *cobra.Command {
	behaviour := command(
		"behaviour ID ACTION",
		"How the phone answers: approve, refuse, wrong-number, ignore, late, unreachable or ask",
		2,
		func(cmd *cobra.Command, a []string) error {
			after, _ := cmd.Flags().GetString("after")
			next, _ := cmd.Flags().GetBool("next")
			return show(
				cmd,
				http.MethodPut,
				"/identities"+segment(a[0])+"/ecps/behaviour",
				map[string]any{"action": a[1], "after": after, "next": next},
			)
		},
	)
	behaviour.Flags().String("after", "", "delay before it acts, such as 3s")
	behaviour.Flags().Bool("next", false, "for the next request only, behind those prepared before")
	remove := command("remove ID", "End an e-CPS", 1, func(cmd *cobra.Command, a []string) error {
		why := "deleted"
		if lost, _ := cmd.Flags().GetBool("lost"); lost {
			why = "lost"
		}
		return show(cmd, http.MethodDelete, "/identities"+segment(a[0])+"/ecps?why="+why, nil)
	})
	remove.Flags().Bool("lost", false, "the phone was lost")
	return group("ecps", "The phones", newActivate(), newComplete(), newApprove(), behaviour, remove,
		command("show ID", "Show a person's e-CPS, and those before it", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodGet, "/identities"+segment(a[0])+"/ecps", nil)
		}),
		command("totp ID", "Print the one-time password of this moment", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodGet, "/identities"+segment(a[0])+"/ecps/totp", nil)
		}),
		withLimit(command("pending", "List the requests that wait", 0, func(cmd *cobra.Command, _ []string) error {
			return listing(cmd, "/ecps/requests", "id", "national_id", "client", "number", "state")
		})),
		command("stream", "Print what waits, a line of JSON at each change, until interrupted", 0, runStream),
		command("refuse REQUEST", "Refuse a request", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodPost, "/ecps/requests"+segment(a[0])+"/refuse", nil)
		}))
}

func newActivate() *cobra.Command {
	cmd := command(
		"activate ID",
		"Activate an e-CPS: at once, or as on the portal with --by",
		1,
		func(cmd *cobra.Command, a []string) error {
			in := map[string]string{}
			for _, name := range []string{"code", "by", "card", "pin"} {
				in[name], _ = cmd.Flags().GetString(name)
			}
			return show(cmd, http.MethodPost, "/identities"+segment(a[0])+"/ecps", in)
		},
	)
	cmd.Flags().String("code", "1234", "e-CPS code, 4 digits")
	cmd.Flags().String("by", "", "card or contact: print the QR code's text; ecps complete does the phone's part")
	cmd.Flags().String("card", "", "serial of the card, with --by card")
	cmd.Flags().String("pin", "1234", "its code porteur")
	return cmd
}

func newComplete() *cobra.Command {
	cmd := command("complete QR", "The phone's part of an activation", 1, func(cmd *cobra.Command, a []string) error {
		in := map[string]string{"qr": a[0]}
		for _, name := range []string{"code", "sms", "key"} {
			in[name], _ = cmd.Flags().GetString(name)
		}
		return show(cmd, http.MethodPost, "/ecps/activations", in)
	})
	cmd.Flags().String("code", "1234", "e-CPS code, 4 digits")
	cmd.Flags().String("sms", "", "code received by SMS (pscemu outbox wait)")
	cmd.Flags().String("key", "", "public key of the phone (P-256, SPKI, base64)")
	return cmd
}

func newApprove() *cobra.Command {
	cmd := command(
		"approve REQUEST",
		"Approve a request: with authority, or as the person does",
		1,
		func(cmd *cobra.Command, a []string) error {
			in := map[string]string{}
			for _, name := range []string{"code", "number", "totp"} {
				in[name], _ = cmd.Flags().GetString(name)
			}
			return show(cmd, http.MethodPost, "/ecps/requests"+segment(a[0])+"/approve", in)
		},
	)
	cmd.Flags().String("code", "", "e-CPS code, with --number")
	cmd.Flags().String("number", "", "number picked among three")
	cmd.Flags().String("totp", "", "one-time password instead (pscemu ecps totp)")
	return cmd
}

// runStream prints the server's events until it or the user ends.
func runStream(cmd *cobra.Command, _ []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, r.ready.APIURL+"/ecps/requests/stream", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.ready.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r.unanswered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("stream: %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			fmt.Fprintln(cmd.OutOrStdout(), data)
		}
	}
	return nil
}

func newOutbox() *cobra.Command {
	list := withLimit(command("list", "List the mails and SMS", 0, func(cmd *cobra.Command, _ []string) error {
		id, _ := cmd.Flags().GetString("identity")
		return listing(cmd, "/outbox?national_id="+url.QueryEscape(id), "id", "channel", "to", "code", "link")
	}))
	list.Flags().String("identity", "", "of this person only")
	wait := command(
		"wait ID",
		"Wait for a person's mail or SMS: the oldest that is kept, or the first behind --after",
		1,
		func(cmd *cobra.Command, a []string) error {
			q := url.Values{"national_id": {a[0]}}
			for _, name := range []string{"channel", "after", "timeout"} {
				v, _ := cmd.Flags().GetString(name)
				q.Set(name, v)
			}
			return show(cmd, http.MethodGet, "/outbox/wait?"+q.Encode(), nil)
		},
	)
	wait.Flags().String("channel", "", "mail or sms; either when empty")
	wait.Flags().String("after", "", "behind the message with this id")
	wait.Flags().String("timeout", "10s", "a minute at most")
	return group(
		"outbox",
		"The mails and SMS that people would be sent",
		list,
		wait,
		command("show ID", "Show one message", 1, func(cmd *cobra.Command, a []string) error {
			return show(cmd, http.MethodGet, "/outbox"+segment(a[0]), nil)
		}),
	)
}
