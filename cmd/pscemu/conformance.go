package main

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/lab/conformance"
)

// newConformance checks the running emulator as the OpenID Foundation's suite
// would. It brings its own clients and person, moves the emulator's clock, and
// takes everything back at its end.
func newConformance() *cobra.Command {
	cmd := command(
		"conformance",
		"Check the running emulator, module by module, as the OpenID Foundation's suite does",
		0,
		runConformance,
	)
	remoteFlags(cmd)
	return cmd
}

func runConformance(cmd *cobra.Command, _ []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	t, cleanup, err := r.conformanceTarget()
	defer cleanup()
	if err != nil {
		return err
	}
	results, failed := []conformance.Result{}, 0
	conformance.Run(t, func(result conformance.Result) {
		results = append(results, result)
		if result.Verdict == conformance.Failed {
			failed++
		}
	})
	if wantsJSON(cmd) {
		err = printJSON(cmd, map[string]any{"items": results})
	} else {
		conformance.Print(cmd.OutOrStdout(), results)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d checks failed", failed)
	}
	return err
}

// conformanceTarget makes two clients with certificates and a person with
// phone and card; cleanup takes them away again.
func (r *remote) conformanceTarget() (t *conformance.Target, cleanup func(), err error) {
	var undo []func() error
	cleanup = func() {
		for _, f := range undo {
			_ = f()
		}
	}
	roots, err := r.roots()
	if err != nil {
		return nil, cleanup, err
	}
	t = &conformance.Target{Issuer: r.ready.Issuer, Roots: roots, Person: "899709999995", PIN: "1234", API: r.call}
	for _, c := range []*conformance.Client{&t.A, &t.B} {
		*c = conformance.Client{
			ID:            "conformance-" + rand.Text()[:8],
			Secret:        rand.Text(),
			RedirectURI:   "https://rp.example/callback",
			PostLogoutURI: "https://rp.example/loggedout",
		}
		undo = append(undo, func() error { return r.call(http.MethodDelete, "/clients/"+c.ID, nil, nil) })
		if err := r.conformanceClient(c); err != nil {
			return nil, cleanup, err
		}
	}
	person := "/identities/" + url.PathEscape(t.Person)
	undo = append(
		undo,
		func() error { return r.call(http.MethodDelete, "/clock", nil, nil) },
		func() error { return r.call(http.MethodDelete, person, nil, nil) },
	)
	if err := r.conformancePerson(t); err != nil {
		return nil, cleanup, err
	}
	t.Answer = func(behaviour string) error {
		return r.call(http.MethodPut, person+"/ecps/behaviour", map[string]string{"action": behaviour}, nil)
	}
	t.Advance = func(seconds int) error {
		return r.call(
			http.MethodPut,
			"/clock",
			map[string]string{"offset": (time.Duration(seconds) * time.Second).String()},
			nil,
		)
	}
	t.Configure = func(c conformance.Client, more map[string]any) error {
		return r.call(http.MethodPut, "/clients/"+c.ID, registration(c, more), nil)
	}
	return t, cleanup, nil
}

func registration(c conformance.Client, more map[string]any) map[string]any {
	out := map[string]any{
		"client_id":                       c.ID,
		"name":                            "Conformance",
		"client_secret":                   c.Secret,
		"redirect_uris":                   []string{c.RedirectURI},
		"post_logout_redirect_uris":       []string{c.PostLogoutURI},
		"backchannel_token_delivery_mode": "poll",
	}
	maps.Copy(out, more)
	return out
}

func (r *remote) conformanceClient(c *conformance.Client) error {
	if err := r.call(http.MethodPost, "/clients", registration(*c, nil), nil); err != nil {
		return err
	}
	var issued api.Issued
	if err := r.call(
		http.MethodPost,
		"/certificates",
		map[string]string{"client_id": c.ID, "profile": "AUTH_CLI"},
		&issued,
	); err != nil {
		return err
	}
	var err error
	c.Certificate, err = tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	return err
}

func (r *remote) conformancePerson(t *conformance.Target) error {
	person := map[string]any{
		"national_id": t.Person,
		"family_name": "CONFORMANCE",
		"given_name":  "CAMILLE",
		"civility":    "MME",
		"email":       "camille.conformance@example.test",
		"exercices":   []any{},
		"behaviour":   "approve",
	}
	var card struct{ Serial string }
	err := errors.Join(
		r.call(http.MethodPost, "/identities", person, nil),
		r.call(http.MethodPost, "/identities/"+t.Person+"/ecps", map[string]string{"code": "1234"}, nil),
		r.call(
			http.MethodPost,
			"/cards",
			map[string]string{"national_id": t.Person, "type": "CPS", "pin": t.PIN},
			&card,
		),
	)
	t.CardSerial = card.Serial
	return err
}
