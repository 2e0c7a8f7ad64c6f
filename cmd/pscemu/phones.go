package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/api"
)

func newECPS() *cobra.Command {
	return group("ecps", "The phones", newActivate(), newComplete(), newApprove(), newBehaviour(), newRemovePhone(),
		remoteCommand("show ID", "Show a person's e-CPS, and those before it", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.GetPhoneWithResponse(cmd.Context(), a[0])
			}),
		remoteCommand("totp ID", "Print the one-time password of this moment", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.GetTOTPWithResponse(cmd.Context(), a[0])
			}),
		withLimit(command("pending", "List the requests that wait", 0, func(cmd *cobra.Command, _ []string) error {
			return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
				return r.api.ListPhoneRequestsWithResponse(cmd.Context(),
					&api.ListPhoneRequestsParams{Limit: limit, After: after})
			}, "id", "national_id", "client", "number", "state")
		})),
		command("stream", "Print what waits, a line of JSON at each change, until interrupted", 0, runStream),
		remoteCommand("refuse REQUEST", "Refuse a request", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.RefusePhoneRequestWithResponse(cmd.Context(), a[0])
			}))
}

func newBehaviour() *cobra.Command {
	cmd := remoteCommand(
		"behaviour ID ACTION",
		"How the phone answers: approve, refuse, wrong-number, ignore, late, unreachable or ask",
		2,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			in := api.BehaviourOrderInput{Action: a[1]}
			in.After, _ = cmd.Flags().GetString("after")
			in.Next, _ = cmd.Flags().GetBool("next")
			return r.api.SetBehaviourWithResponse(cmd.Context(), a[0], in)
		},
	)
	cmd.Flags().String("after", "", "delay before it acts, such as 3s")
	cmd.Flags().Bool("next", false, "for the next request only, behind those prepared before")
	return cmd
}

func newRemovePhone() *cobra.Command {
	cmd := remoteCommand("remove ID", "End an e-CPS", 1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			in := &api.RemovePhoneParams{Why: "deleted"}
			if lost, _ := cmd.Flags().GetBool("lost"); lost {
				in.Why = "lost"
			}
			return r.api.RemovePhoneWithResponse(cmd.Context(), a[0], in)
		})
	cmd.Flags().Bool("lost", false, "the phone was lost")
	return cmd
}

func newActivate() *cobra.Command {
	cmd := remoteCommand("activate ID", "Activate an e-CPS: at once, or as on the portal with --by", 1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			flag := textFlags(cmd)
			return r.api.ActivatePhoneWithResponse(cmd.Context(), a[0],
				api.ActivationRequest{Code: flag("code"), By: flag("by"), Card: flag("card"), Pin: flag("pin")})
		})
	cmd.Flags().String("code", "1234", "e-CPS code, 4 digits")
	cmd.Flags().String("by", "", "card or contact: print the QR code's text; ecps complete does the phone's part")
	cmd.Flags().String("card", "", "serial of the card, with --by card")
	cmd.Flags().String("pin", "1234", "its code porteur")
	return cmd
}

// textFlags reads a command's flags.
func textFlags(cmd *cobra.Command) func(name string) string {
	return func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
}

func newComplete() *cobra.Command {
	cmd := remoteCommand("complete QR", "The phone's part of an activation", 1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			flag := textFlags(cmd)
			return r.api.CompleteActivationWithResponse(cmd.Context(),
				api.ActivationCompletion{Qr: a[0], Code: flag("code"), Sms: flag("sms"), Key: flag("key")})
		})
	cmd.Flags().String("code", "1234", "e-CPS code, 4 digits")
	cmd.Flags().String("sms", "", "code received by SMS (pscemu outbox wait)")
	cmd.Flags().String("key", "", "public key of the phone (P-256, SPKI, base64)")
	return cmd
}

func newApprove() *cobra.Command {
	cmd := remoteCommand("approve REQUEST", "Approve a request: with authority, or as the person does", 1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			flag := textFlags(cmd)
			return r.api.ApprovePhoneRequestWithResponse(cmd.Context(), a[0],
				api.Approval{Code: flag("code"), Number: flag("number"), Totp: flag("totp")})
		})
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
	resp, err := r.long.StreamPhoneRequests(cmd.Context(), &api.StreamPhoneRequestsParams{})
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
		return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
			return r.api.ListMessagesWithResponse(cmd.Context(),
				&api.ListMessagesParams{NationalId: id, Limit: limit, After: after})
		}, "id", "channel", "to", "code", "link")
	}))
	list.Flags().String("identity", "", "of this person only")
	wait := remoteCommand(
		"wait ID",
		"Wait for a person's mail or SMS: the oldest that is kept, or the first behind --after",
		1,
		func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
			flag := textFlags(cmd)
			return r.long.WaitForMessageWithResponse(cmd.Context(), &api.WaitForMessageParams{
				NationalId: a[0], Channel: flag("channel"), After: flag("after"), Timeout: flag("timeout"),
			})
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
		remoteCommand("show ID", "Show one message", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.GetMessageWithResponse(cmd.Context(), a[0])
			}),
	)
}
