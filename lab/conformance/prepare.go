package conformance

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"time"

	"pscemu.invalid/pscemu/internal/api"
)

// Prepare makes two clients with certificates, and a person with phone and
// card; cleanup takes them away again, also those made before an error.
func Prepare(ctx context.Context, c *api.ClientWithResponses, issuer string, roots *x509.CertPool) (
	t *Target, cleanup func(), err error) {
	t = &Target{Issuer: issuer, Roots: roots, Person: "899709999995", PIN: "1234", API: c}
	cleanup = t.clean
	for _, client := range []*Client{&t.A, &t.B} {
		*client = Client{
			ID:            "conformance-" + rand.Text()[:8],
			Secret:        rand.Text(),
			RedirectURI:   "https://rp.example/callback",
			PostLogoutURI: "https://rp.example/loggedout",
		}
		if err := t.register(ctx, client); err != nil {
			return nil, cleanup, err
		}
	}
	return t, cleanup, t.people(ctx)
}

func (t *Target) clean() {
	ctx := context.Background()
	for _, client := range []Client{t.A, t.B} {
		if client.ID != "" {
			_, _ = t.API.DeleteClientWithResponse(ctx, client.ID)
		}
	}
	_, _ = t.API.ResetClockWithResponse(ctx)
	_, _ = t.API.DeleteIdentityWithResponse(ctx, t.Person)
}

// registration is a client's, with changes by the names of its members.
func registration(c Client, more map[string]any) (api.RegisteredClientInput, error) {
	in := api.RegisteredClientInput{
		ClientId:                     c.ID,
		Name:                         "Conformance",
		ClientSecret:                 c.Secret,
		RedirectUris:                 []string{c.RedirectURI},
		PostLogoutRedirectUris:       []string{c.PostLogoutURI},
		BackchannelTokenDeliveryMode: "poll",
	}
	changes, err := json.Marshal(more)
	if err == nil && len(more) > 0 {
		err = json.Unmarshal(changes, &in)
	}
	return in, err
}

// register makes a client and its certificate.
func (t *Target) register(ctx context.Context, c *Client) error {
	in, err := registration(*c, nil)
	if err != nil {
		return err
	}
	if err := api.Refused(t.API.CreateClientWithResponse(ctx, in)); err != nil {
		return err
	}
	issued, err := t.API.IssueCertificateWithResponse(ctx,
		api.CertificateRequest{ClientId: c.ID, Profile: "AUTH_CLI"})
	if err := api.Refused(issued, err); err != nil {
		return err
	}
	c.Certificate, err = tls.X509KeyPair([]byte(issued.JSON201.Certificate), []byte(issued.JSON201.Key))
	return err
}

// people makes the person, with phone and card.
func (t *Target) people(ctx context.Context) error {
	person := api.PersonInput{
		NationalId: t.Person,
		FamilyName: "CONFORMANCE",
		GivenName:  "CAMILLE",
		Civility:   "MME",
		Email:      "camille.conformance@example.test",
		Behaviour:  "approve",
	}
	if err := api.Refused(t.API.CreateIdentityWithResponse(ctx, person)); err != nil {
		return err
	}
	if err := api.Refused(
		t.API.ActivatePhoneWithResponse(ctx, t.Person, api.ActivationRequest{Code: "1234"}),
	); err != nil {
		return err
	}
	card, err := t.API.IssueCardWithResponse(ctx, api.CardRequest{NationalId: t.Person, Type: "CPS", Pin: t.PIN})
	if err := api.Refused(card, err); err != nil {
		return err
	}
	t.CardSerial = card.JSON201.Serial
	return nil
}

// answer says how the person's phone answers: approve, refuse or ask.
func (t *Target) answer(behaviour string) error {
	return api.Refused(t.API.SetBehaviourWithResponse(context.Background(), t.Person,
		api.BehaviourOrderInput{Action: behaviour}))
}

// advance moves the emulator's clock ahead.
func (t *Target) advance(seconds int) error {
	offset := (time.Duration(seconds) * time.Second).String()
	return api.Refused(t.API.SetClockWithResponse(context.Background(), api.ClockChange{Offset: &offset}))
}

// configure changes a registration.
func (t *Target) configure(c Client, more map[string]any) error {
	in, err := registration(c, more)
	if err != nil {
		return err
	}
	return api.Refused(t.API.PutClientWithResponse(context.Background(), c.ID, in))
}

// atReader are the logins that wait for the person's card.
func (rp *relyingParty) atReader() []api.LoginRequest {
	list, err := rp.API.ListReaderRequestsWithResponse(context.Background(),
		&api.ListReaderRequestsParams{NationalId: rp.Person, Limit: 10})
	rp.must(api.Refused(list, err))
	return list.JSON200.Items
}

// present presents the person's card to a login.
func (t *Target) present(id string) error {
	return api.Refused(t.API.PresentCardWithResponse(context.Background(), id,
		api.Presentation{Card: t.CardSerial, Pin: t.PIN}))
}
