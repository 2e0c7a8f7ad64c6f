package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/provider/clients"
)

func newClients() *cobra.Command {
	add := command(
		"add ID",
		"Register a client, and print it with its secret; an id that is taken is refused",
		1,
		addClient,
	)
	clientFlags(add)
	update := command("update ID", "Change what the flags say of a client, and nothing else", 1, updateClient)
	clientFlags(update)
	bind := remoteCommand(
		"bind ID SERIAL",
		"Bind a client to the subject of a certificate, such as one ordered for a structure",
		2,
		bindClient,
	)
	bind.Flags().
		Bool("replace", false, "also when the client is bound to another certificate, whose holder is locked out then")
	return group(
		"clients",
		"The registered clients",
		add,
		update,
		bind,
		withLimit(command("list", "List the clients", 0, func(cmd *cobra.Command, _ []string) error {
			return listing(cmd, func(r *remote, limit int, after string) (api.Answer, error) {
				return r.api.ListClientsWithResponse(cmd.Context(), &api.ListClientsParams{Limit: limit, After: after})
			}, "client_id", "name", "policies", "redirect_uris")
		})),
		remoteCommand("show ID", "Show one client, with its secret and the subject it is bound to", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.GetClientWithResponse(cmd.Context(), a[0])
			}),
		remoteCommand("remove ID", "Remove a client", 1,
			func(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
				return r.api.DeleteClientWithResponse(cmd.Context(), a[0])
			}),
	)
}

// clientTexts are the flags that stand for one text of a registration.
var clientTexts = []struct{ flag, member, help string }{
	{"name", "name", "name people see"},
	{"secret", "client_secret", "client secret; one is made when client-auth wants one and none is given"},
	{
		"subject-dn",
		"tls_client_auth_subject_dn",
		"subject of the certificate that authenticates it (RFC 4514), when it is not one made here",
	},
	{"ciba", "backchannel_token_delivery_mode", "poll or ping: allow CIBA"},
	{"notification-endpoint", "backchannel_client_notification_endpoint", "URL to notify, with --ciba ping"},
}

// clientLists are the flags that stand for a list of a registration.
var clientLists = []struct{ flag, member, help string }{
	{"redirect-uri", "redirect_uris", "redirect URI (repeatable)"},
	{"post-logout-redirect-uri", "post_logout_redirect_uris", "post-logout redirect URI (repeatable)"},
}

func clientFlags(cmd *cobra.Command) {
	for _, f := range clientTexts {
		cmd.Flags().String(f.flag, "", f.help)
	}
	for _, f := range clientLists {
		cmd.Flags().StringArray(f.flag, nil, f.help)
	}
	cmd.Flags().String("client-auth", "", "mtls, secret or either; the emulator's setting when not given")
	cmd.Flags().StringToString("policy", nil, "policies of this client, such as acr=eidas2 (repeatable)")
}

// clientMembers are the members of a registration that the flags name. An empty
// value takes the member away.
func clientMembers(cmd *cobra.Command) map[string]any {
	out := map[string]any{}
	for _, f := range clientTexts {
		if text, _ := cmd.Flags().GetString(f.flag); cmd.Flags().Changed(f.flag) {
			out[f.member] = emptyIsNull(text)
		}
	}
	for _, f := range clientLists {
		if list, _ := cmd.Flags().GetStringArray(f.flag); cmd.Flags().Changed(f.flag) {
			out[f.member] = list
		}
	}
	policies := map[string]any{}
	given, _ := cmd.Flags().GetStringToString("policy")
	for name, value := range given {
		policies[name] = emptyIsNull(value)
	}
	if auth, _ := cmd.Flags().GetString("client-auth"); cmd.Flags().Changed("client-auth") {
		policies["client-auth"] = emptyIsNull(auth)
	}
	if len(policies) > 0 {
		out["policies"] = policies
	}
	return out
}

func emptyIsNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func addClient(cmd *cobra.Command, a []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	members := clientMembers(cmd)
	if err := r.secretServes(a[0], members, nil); err != nil {
		return err
	}
	for member, value := range members {
		if value == nil {
			delete(members, member) // nothing is what a new one has
		}
	}
	members["client_id"] = a[0]
	var in api.RegisteredClientInput
	if err := remarshal(members, &in); err != nil {
		return err
	}
	return r.show(cmd)(r.api.CreateClientWithResponse(cmd.Context(), in))
}

// remarshal says one form of a thing in another.
func remarshal(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func updateClient(cmd *cobra.Command, a []string) error {
	members := clientMembers(cmd)
	if len(members) == 0 {
		return usageError{fmt.Errorf("nothing is to change; see pscemu clients update --help")}
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	known, err := r.api.GetClientWithResponse(cmd.Context(), a[0])
	if err := r.done(known, err); err != nil {
		return err
	}
	if err := r.secretServes(a[0], members, known.JSON200.Policies); err != nil {
		return err
	}
	return r.show(cmd)(r.api.PatchClientWithResponse(cmd.Context(), a[0], members))
}

func bindClient(r *remote, cmd *cobra.Command, a []string) (api.Answer, error) {
	replace, _ := cmd.Flags().GetBool("replace")
	return r.api.BindCertificateWithResponse(cmd.Context(), a[1],
		api.CertificateBinding{ClientId: a[0], Replace: replace})
}

// secretServes refuses a secret for a client that would never be asked for it:
// by its own policy, which the server refuses too, or by the setting in effect.
func (r *remote) secretServes(id string, members map[string]any, known map[string]string) error {
	if secret, _ := members["client_secret"].(string); secret == "" {
		return nil
	}
	auth := known["client-auth"]
	if policies, _ := members["policies"].(map[string]any); policies != nil {
		if own, given := policies["client-auth"]; given {
			auth, _ = own.(string)
		}
	}
	if auth == "" {
		list, err := r.api.ListSettingsWithResponse(context.Background())
		if err := r.done(list, err); err != nil {
			return err
		}
		for _, s := range list.JSON200.Items {
			if s.Name == "client-auth" {
				auth = s.Value
			}
		}
	}
	if auth == clients.MTLS {
		return clients.SecretUseless(id)
	}
	return nil
}
