package api

import (
	"cmp"
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
)

// Cards are people's cards, the kits of test cards, and what a card signs.
type Cards struct {
	Cards *cards.Cards
	PKI   *pki.PKI
}

func (s *Cards) listCards(c echo.Context) (any, error) {
	return listed(c, s.List(ctx(c), c.QueryParam("national_id")))
}

// List lists the cards of a person, or ("") of everybody, by serial.
func (s *Cards) List(c context.Context, nationalID string) Lister[cards.Card] {
	return ByID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Cards.List(c, nationalID, after, limit)
	})
}

func (s *Cards) issueCard(c echo.Context) (any, error) {
	var in cards.Request
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Cards.Issue(ctx(c), in)
}

func (s *Cards) unblock(c echo.Context) (any, error) {
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

func (s *Cards) issueKit(c echo.Context) (any, error) {
	list, err := s.Cards.IssueKit(ctx(c), c.Param("name"))
	return items{list, ""}, err
}

func (s *Cards) testCards(c echo.Context) (any, error) {
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

func (s *Cards) oppose(c echo.Context) (any, error) {
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

func (s *Cards) cardP12(c echo.Context) (any, error) {
	cert, err := s.Cards.Certificate(ctx(c), param(c, "serial"), cmp.Or(c.QueryParam("use"), cards.ForAuthentication))
	if err != nil {
		return nil, err
	}
	return packed(c, s.PKI, cert, "carte-"+cert.CardSerial)
}

func (s *Cards) cardPEM(c echo.Context) (any, error) {
	cert, err := s.Cards.Certificate(ctx(c), param(c, "serial"), cmp.Or(c.QueryParam("use"), cards.ForAuthentication))
	if err != nil {
		return nil, err
	}
	data, _, err := s.PKI.PEM(ctx(c), cert)
	return file{"carte-" + cert.CardSerial + ".pem", "application/x-pem-file", data}, err
}

func (s *Cards) sign(c echo.Context) (any, error) {
	var in struct{ PIN, Text string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Cards.Sign(ctx(c), param(c, "serial"), in.PIN, in.Text)
}

func (s *Cards) verifySignature(c echo.Context) (any, error) {
	var in cards.Signature
	if err := body(c, &in); err != nil {
		return nil, err
	}
	who, err := s.Cards.Verify(ctx(c), &in)
	if err != nil {
		return nil, err
	}
	return map[string]string{"national_id": who.NationalID, "name": who.GivenName + " " + who.FamilyName}, nil
}

func (s *Cards) routes() []route {
	return []route{
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
		{
			"GET",
			"/cards/:serial/p12",
			"Certificate and key, ?password=pscemu; ?legacy=true for old stores; ?use=sign for the one that signs",
			s.cardP12,
		},
		{"GET", "/cards/:serial/certificate", "Certificate as PEM; ?use=sign for the one that signs", s.cardPEM},
	}
}
