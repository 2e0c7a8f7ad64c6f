package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/delivery"
)

// route is one operation of the control API; the table is also what the
// OpenAPI document is made of.
type route struct {
	Method, Path, Summary string
	Handle                func(echo.Context) (any, error)
}

func (r route) serve(c echo.Context) error {
	out, err := r.Handle(c)
	if err != nil {
		return err
	}
	switch v := out.(type) {
	case nil:
		return c.NoContent(http.StatusNoContent)
	case sent:
		return nil
	case file:
		attachment(c, v.name, v.kind)
		return c.Blob(http.StatusOK, v.kind, v.data)
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
	}
	return c.JSON(status, out)
}

// sent is the answer of an operation that wrote its response itself.
type sent struct{}

type file struct {
	name, kind string
	data       []byte
}

func (s *Console) routes() []route {
	return slices.Concat(
		s.orderRoutes(),
		s.journalRoutes(),
		s.stateRoutes(),
		s.spaceRoutes(),
		s.scenarioRoutes(),
		s.doctorRoutes(),
		s.clientRoutes(),
		s.jobRoutes(),
		[]route{
			{
				"GET",
				"/identities",
				"List people; ?q searches, ?profession&tag filter, ?limit&after pages",
				s.listIdentities,
			},
			{"POST", "/identities", "Create a person", s.createIdentity},
			{
				"POST",
				"/identities/generate",
				"Generate people: {count, seed, from, profession, theme, mix, traps, means, quiet}; the same seed gives the same people in an empty world; numbers that are taken are left out, and next is where to go on from",
				s.generate,
			},
			{
				"POST",
				"/identities/import",
				"Import people: our JSON, YAML or CSV, a UserInfo, or the Annuaire Santé's extraction; all of them, or none; ?fictitious=true replaces real numbers and names; ?async=true answers 202 with a job",
				s.importPeople,
			},
			{
				"GET",
				"/identities/export",
				"Export people; ?format=json, yaml, csv, annuaire, userinfo or fhir; ?q&profession&tag filter",
				func(c echo.Context) (any, error) { return sent{}, s.exportPeople(c) },
			},
			{"GET", "/codes", "The code tables", s.codeTables},
			{"GET", "/codes/:table", "The codes of a table; ?q= searches", s.codes},
			{"GET", "/identities/:id", "One person", s.getIdentity},
			{"PUT", "/identities/:id", "Replace a person", s.putIdentity},
			{
				"DELETE",
				"/identities/:id",
				"Delete a person",
				func(c echo.Context) (any, error) { return nil, s.People.Delete(ctx(c), param(c, "id")) },
			},
			{
				"POST",
				"/identities/:id/restore",
				"Undo a delete",
				func(c echo.Context) (any, error) { return s.People.Restore(ctx(c), param(c, "id")) },
			},
			{"GET", "/identities/:id/claims", "What a relying party would receive", s.claims},
			{
				"GET",
				"/identities/:id/ecps",
				"The person's e-CPS, the devices before it, and how the coming requests are answered",
				s.getPhone,
			},
			{
				"POST",
				"/identities/:id/ecps",
				"Activate an e-CPS: at once {code}; or begin as on the portal: {by: card, card, pin} or {by: contact}",
				s.activate,
			},
			{
				"DELETE",
				"/identities/:id/ecps",
				"End the e-CPS; ?why=deleted or lost",
				func(c echo.Context) (any, error) {
					return nil, s.ECPS.Remove(ctx(c), param(c, "id"), c.QueryParam("why"))
				},
			},
			{
				"PUT",
				"/identities/:id/ecps/behaviour",
				"How the phone answers: {action, after}; with next: true the next request only",
				s.behaviour,
			},
			{
				"GET",
				"/identities/:id/ecps/totp",
				"The one-time password of this moment, whether it has served, and when the next one comes",
				s.totp,
			},
			{"POST", "/ecps/activations", "The phone's part of an activation: {qr, code, sms, key}", s.complete},
			{
				"GET",
				"/outbox",
				"Mails and SMS, oldest first; ?national_id&channel=mail|sms filter, ?limit&after pages",
				s.listOutbox,
			},
			{"GET", "/outbox/wait", "Wait for a mail or SMS: ?national_id&channel&after&timeout=10s", s.waitOutbox},
			{
				"GET",
				"/outbox/:id",
				"One mail or SMS",
				func(c echo.Context) (any, error) { return s.Outbox.Get(ctx(c), param(c, "id")) },
			},
			{
				"GET",
				"/ecps/requests",
				"Requests waiting on phones, oldest first; ?all=true for settled ones too, ?national_id filters, ?limit&after pages",
				s.listRequests,
			},
			{
				"GET",
				"/ecps/requests/:id",
				"One request",
				func(c echo.Context) (any, error) { return s.ECPS.Request(ctx(c), param(c, "id")) },
			},
			{
				"POST",
				"/ecps/requests/:id/approve",
				"Approve; with {code, number, signature} as the phone would, with {totp}, or with authority",
				s.approve,
			},
			{
				"POST",
				"/ecps/requests/:id/refuse",
				"Refuse",
				func(c echo.Context) (any, error) { return s.ECPS.Answer(ctx(c), param(c, "id"), ecps.Refused) },
			},
			{"GET", "/cards", "List cards; ?national_id filters, ?limit&after pages", s.listCards},
			{
				"POST",
				"/cards",
				"Issue a card: {national_id, type, pin, production: true for one like production's}; or a carte de service: {service: structure's name, structure: SIRET or FINESS}",
				s.issueCard,
			},
			{
				"POST",
				"/cards/:serial/renew",
				"Renew a card: the new one takes its place",
				func(c echo.Context) (any, error) { return s.Cards.Renew(ctx(c), param(c, "serial")) },
			},
			{
				"GET",
				"/cards/:serial",
				"One card",
				func(c echo.Context) (any, error) { return s.Cards.Get(ctx(c), param(c, "serial")) },
			},
			{"POST", "/cards/:serial/oppose", "Put a card out of use: {reason}", s.oppose},
			{
				"POST",
				"/cards/:serial/unblock",
				"Unblock a card: with authority, or as its holder with {puk, pin}",
				s.unblock,
			},
			{
				"GET",
				"/cards/kits",
				"The kits of test cards: the kit d'intégration, sets for a structure",
				func(echo.Context) (any, error) { return items{cards.Kits(), ""}, nil },
			},
			{"POST", "/cards/test", "Individual test cards with their people: {profession, count}", s.testCards},
			{"POST", "/cards/:serial/sign", "Sign a text with the card, as its holder: {pin, text}", s.sign},
			{"POST", "/cards/verify", "Verify such a signature: {text, signature, certificate}", s.verifySignature},
			{"POST", "/cards/kits/:name", "Make a kit's people and their cards", s.issueKit},
			{"GET", "/reader", "The card in the virtual reader", s.getReader},
			{"PUT", "/reader", "Insert a card: {card: serial}; the login page then takes that one alone", s.insertCard},
			{
				"DELETE",
				"/reader",
				"Pull it out: a login that began with it is refused",
				func(c echo.Context) (any, error) { return nil, s.Cards.PullOut(ctx(c)) },
			},
			{
				"GET",
				"/cards/:serial/p12",
				"Certificate and key, ?password=pscemu; ?legacy=true for old stores; ?use=sign for the one that signs",
				s.cardP12,
			},
			{"GET", "/cards/:serial/certificate", "Certificate as PEM; ?use=sign for the one that signs", s.cardPEM},
			{
				"GET",
				"/certificates",
				"List certificates; ?client_id, ?card, ?state=valid or revoked and ?q (in the subject) filter, ?limit&after pages",
				s.listCertificates,
			},
			{
				"POST",
				"/certificates",
				"Issue one: {client_id, profile, key: rsa2048 … ecdsa}, or with {csr}",
				s.issueCertificate,
			},
			{
				"GET",
				"/certificates/broken",
				"Certificates with something odd about them, for ?client_id",
				s.brokenCertificates,
			},
			{
				"GET",
				"/certificates/:serial",
				"One certificate",
				func(c echo.Context) (any, error) { return s.PKI.Certificate(ctx(c), param(c, "serial")) },
			},
			{
				"GET",
				"/certificates/:serial/:format",
				"The certificate as pem, der, chain, key or p12 (?password, ?legacy=true)",
				s.certificateAs,
			},
			{
				"POST",
				"/certificates/:serial/revoke",
				"Revoke",
				func(c echo.Context) (any, error) { return nil, s.PKI.Revoke(ctx(c), param(c, "serial")) },
			},
			{"GET", "/clock", "The emulator's clock", func(echo.Context) (any, error) { return s.Clock.State(), nil }},
			{
				"PUT",
				"/clock",
				"Move it: one of {offset} against the machine, {advance} from where it is, {now}; beside it or alone {frozen: true or false}",
				s.setClock,
			},
			{
				"DELETE",
				"/clock",
				"Follow the machine's clock",
				func(echo.Context) (any, error) { s.Clock.Reset(); return nil, nil },
			},
			{
				"GET",
				"/doors",
				"The test doors and whether they are open",
				func(echo.Context) (any, error) { return items{s.Provider.Doors(), ""}, nil },
			},
			{"PATCH", "/doors", "Open or close doors: {login-hint: false}", s.patchDoors},
			{
				"GET",
				"/settings",
				"The settings with value, source and default",
				func(echo.Context) (any, error) { return items{s.Settings.Table(), ""}, nil },
			},
			{
				"PATCH",
				"/settings",
				"Change policies while the emulator runs: {acr: eidas2}; all of them, or none",
				s.patchSettings,
			},
			{
				"GET",
				"/keys",
				"The signing keys, the active one first",
				func(echo.Context) (any, error) { return items{s.OIDC.Keys(), ""}, nil },
			},
			{
				"POST",
				"/keys",
				"Rotation 1: publish a new signing key",
				func(c echo.Context) (any, error) { return s.OIDC.PublishKey(ctx(c)) },
			},
			{
				"POST",
				"/keys/:kid/use",
				"Rotation 2: sign with it; the former stays in the key set",
				func(c echo.Context) (any, error) { return nil, s.OIDC.UseKey(ctx(c), param(c, "kid")) },
			},
			{
				"POST",
				"/keys/:kid/retire",
				"Rotation 3: take it out of the key set",
				func(c echo.Context) (any, error) { return nil, s.OIDC.RetireKey(ctx(c), param(c, "kid")) },
			},
			{
				"GET",
				"/deliveries",
				"What clients' servers were told, and how they answered, newest first; ?client= filters, ?limit&after pages",
				s.deliveries,
			},
			{
				"GET",
				"/reader/requests",
				"Logins that wait for a card in the reader, oldest first; ?national_id filters, ?limit&after pages",
				s.readerRequests,
			},
			{"POST", "/reader/requests/:id", "Present a card: {card, pin}", s.presentCard},
			{
				"POST",
				"/reader/requests/:id/refuse",
				"Refuse",
				func(c echo.Context) (any, error) { return s.ECPS.Answer(ctx(c), param(c, "id"), ecps.Refused) },
			},
		},
	)
}

// items is a list that is complete by nature: its Next is "". One that may be
// long is listed.
type items struct {
	Items any    `json:"items"`
	Next  string `json:"next"`
}

func ctx(c echo.Context) context.Context { return c.Request().Context() }

// body reads a JSON body and refuses unknown keys.
func body(c echo.Context, into any) error {
	if !strings.HasPrefix(c.Request().Header.Get("Content-Type"), "application/json") {
		return problem.ContentTypeWrong.Got(c.Request().Header.Get("Content-Type"))
	}
	d := json.NewDecoder(c.Request().Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bodyProblem(err, into)
	}
	return nil
}

// Person is an identity as the API shows and takes it: its name and means
// are derived, so that what was read can be sent back.
type Person struct {
	identities.Identity
	Name  string             `json:"name"`
	Means []identities.Means `json:"means"`
}

func (s *Console) person(c context.Context, i *identities.Identity) Person {
	p := Person{Identity: *i, Name: i.Name(), Means: []identities.Means{}}
	if _, err := s.ECPS.Device(c, i.NationalID); err == nil {
		p.Means = append(p.Means, identities.MeansECPS)
	}
	if serials, err := s.Cards.Serials(c, i.NationalID); err == nil && len(serials) > 0 {
		p.Means = append(p.Means, identities.MeansCard)
	}
	return p
}

func (s *Console) listIdentities(c echo.Context) (any, error) {
	return listed(c, s.peopleList(ctx(c), query(c)))
}

// peopleList lists people with their means, by national id.
func (s *Console) peopleList(c context.Context, q identities.Query) lister[Person] {
	return byID(func(p *Person) string { return p.NationalID }, func(after string, limit int) ([]Person, error) {
		people, err := s.People.List(c, q, after, limit)
		rows := make([]Person, len(people))
		for i := range people {
			rows[i] = s.person(c, &people[i])
		}
		return rows, err
	})
}

func (s *Console) getIdentity(c echo.Context) (any, error) {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return nil, err
	}
	return s.person(ctx(c), i), nil
}

func (s *Console) createIdentity(c echo.Context) (any, error) {
	var in Person
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := s.People.Create(ctx(c), &in.Identity); err != nil {
		return nil, err
	}
	return s.person(ctx(c), &in.Identity), nil
}

func (s *Console) putIdentity(c echo.Context) (any, error) {
	var in Person
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if id := param(c, "id"); in.NationalID != id {
		return nil, problem.IDDiffers.Case("people").With("id", id).Got(in.NationalID)
	}
	if err := s.People.Put(ctx(c), &in.Identity); err != nil {
		return nil, err
	}
	return s.person(ctx(c), &in.Identity), nil
}

func (s *Console) claims(c echo.Context) (any, error) {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return nil, err
	}
	return i.UserInfo(identities.Means(c.QueryParam("means")).AuthMode()), nil
}

// presentCard answers a CIBA login of channel CARD.
func (s *Console) presentCard(c echo.Context) (any, error) {
	var in struct{ Card, PIN string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.readCard(c, param(c, "id"), in.Card, in.PIN)
}

// readCard presents a card to a request that waits for it.
func (s *Console) readCard(c echo.Context, request, serial, pin string) (any, error) {
	return s.ECPS.ApproveCard(ctx(c), request, func(tx store.Tx) (holder string, verdict, err error) {
		card, verdict, err := s.Cards.PresentPINIn(tx, serial, pin)
		if err == nil && verdict == nil {
			holder = card.NationalID
		}
		return holder, verdict, err
	})
}

func (s *Console) patchSettings(c echo.Context) (any, error) {
	values, err := patch(c, "")
	if err == nil {
		err = s.Settings.Patch(values)
	}
	return items{s.Settings.Table(), ""}, err
}

// patchDoors is patchSettings for the policies that are doors.
func (s *Console) patchDoors(c echo.Context) (any, error) {
	values, err := patch(c, "door-")
	if err == nil {
		err = s.Settings.Patch(values)
	}
	return items{s.Provider.Doors(), ""}, err
}

// patch reads names and values; numbers and switches may stand as such.
func patch(c echo.Context, prefix string) (map[string]string, error) {
	var in map[string]any
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return texts(in, prefix), nil
}

// texts are settings as text, by their names.
func texts(in map[string]any, prefix string) map[string]string {
	out := map[string]string{}
	for name, value := range in {
		out[prefix+strings.ReplaceAll(name, "_", "-")] = fmt.Sprint(value)
	}
	return out
}

func (s *Console) deliveries(c echo.Context) (any, error) {
	return listed(c, s.deliveryList(ctx(c), c.QueryParam("client")))
}

// deliveryList lists deliveries, the newest first.
func (s *Console) deliveryList(c context.Context, client string) lister[delivery.Delivery] {
	return func(after string, limit int) ([]delivery.Delivery, string, error) {
		return s.Sender.List(c, client, after, limit)
	}
}

func (s *Console) listCards(c echo.Context) (any, error) {
	return listed(c, s.cardList(ctx(c), c.QueryParam("national_id")))
}

// cardList lists the cards of a person, or ("") of everybody, by serial.
func (s *Console) cardList(c context.Context, nationalID string) lister[cards.Card] {
	return byID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Cards.List(c, nationalID, after, limit)
	})
}

func (s *Console) issueCard(c echo.Context) (any, error) {
	var in cards.Request
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Cards.Issue(ctx(c), in)
}

func (s *Console) unblock(c echo.Context) (any, error) {
	var in struct{ PUK, PIN string }
	if c.Request().ContentLength != 0 {
		if err := body(c, &in); err != nil {
			return nil, err
		}
	}
	if in.PUK == "" && in.PIN == "" {
		return nil, s.Cards.Unblock(ctx(c), param(c, "serial"))
	}
	return nil, s.Cards.UnblockBy(ctx(c), param(c, "serial"), in.PUK, in.PIN)
}

func (s *Console) issueKit(c echo.Context) (any, error) {
	list, err := s.Cards.IssueKit(ctx(c), c.Param("name"))
	return items{list, ""}, err
}

func (s *Console) testCards(c echo.Context) (any, error) {
	in := struct {
		Profession string `json:"profession"`
		Count      int    `json:"count"`
	}{"10", 1}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	list, err := s.Cards.IssueTest(ctx(c), in.Profession, in.Count)
	return items{list, ""}, err
}

func (s *Console) getReader(c echo.Context) (any, error) {
	card, err := s.Cards.Inserted(ctx(c))
	return map[string]any{"card": card}, err
}

func (s *Console) insertCard(c echo.Context) (any, error) {
	var in struct{ Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	card, err := s.Cards.Insert(ctx(c), in.Card)
	return map[string]any{"card": card}, err
}

func (s *Console) oppose(c echo.Context) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if c.Request().ContentLength != 0 {
		if err := body(c, &in); err != nil {
			return nil, err
		}
	}
	return nil, s.Cards.Oppose(ctx(c), param(c, "serial"), in.Reason)
}

func (s *Console) perform(c echo.Context) (any, error) {
	var in struct {
		AuthorizeURL string           `json:"authorize_url"`
		Identity     string           `json:"identity"`
		Means        identities.Means `json:"means"`
		PIN          string           `json:"pin"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Provider.Perform(ctx(c), in.AuthorizeURL, in.Identity, in.Means, in.PIN)
}
