package api

import (
	"cmp"
	"context"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
)

// Cards are people's cards, the kits of test cards, and what a card signs.
type Cards struct {
	Cards *cards.Cards
	PKI   *pki.PKI
}

// CardSerial names a card.
type CardSerial struct {
	// Serial of the card.
	Serial string `path:"serial"`
}

// Opposition says why a card is put out of use.
type Opposition struct {
	// Reason, such as perdue or volée.
	Reason string `json:"reason"`
}

// Unblocking is what a holder unblocks a card with.
type Unblocking struct {
	// PUK is the card's, of eight digits.
	PUK string `json:"puk,omitempty"`
	// PIN is the new code.
	PIN string `json:"pin,omitempty"`
}

// TestCards asks for individual test cards.
type TestCards struct {
	// Profession is a code of table G15; 10 when it is left out.
	Profession string `json:"profession"`
	// Count is how many; one when it is left out.
	Count int `json:"count"`
}

// Signing is a text to be signed.
type Signing struct {
	// PIN is the card's code.
	PIN string `json:"pin" required:"true"`
	// Text is what is signed.
	Text string `json:"text" required:"true"`
}

// Signer is who signed.
type Signer struct {
	NationalID string `json:"national_id"`
	Name       string `json:"name"`
}

type listCards struct {
	// NationalID is whose cards are listed; everybody's when it is left out.
	NationalID string `query:"national_id"`
	Paging
}

type issueCard struct {
	Body cards.Request `body:"application/json"`
}

type opposeCard struct {
	CardSerial
	Body Opposition `body:"application/json,optional"`
}

type unblockCard struct {
	CardSerial
	Body Unblocking `body:"application/json,optional"`
}

type issueKit struct {
	// Name of the kit.
	Name string `path:"name"`
}

type testCards struct {
	Body TestCards `body:"application/json"`
}

func (in *testCards) defaults() { in.Body = TestCards{"10", 1} }

type signText struct {
	CardSerial
	Body Signing `body:"application/json"`
}

type verifySignature struct {
	Body cards.Signature `body:"application/json"`
}

type cardCertificate struct {
	CardSerial
	// Use is auth, for the certificate that logs in, or sign, for the one that signs.
	Use cards.Use `query:"use"`
}

type cardP12 struct {
	cardCertificate
	Packing
}

func (s *Cards) list(c context.Context, in *listCards) (*Page[cards.Card], error) {
	return page(in.Paging, s.List(c, in.NationalID))
}

// List lists the cards of a person, or ("") of everybody, by serial.
func (s *Cards) List(c context.Context, nationalID string) Lister[cards.Card] {
	return ByID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Cards.List(c, nationalID, after, limit)
	})
}

func (s *Cards) get(c context.Context, in *CardSerial) (*cards.Card, error) {
	return s.Cards.Get(c, in.Serial)
}

func (s *Cards) issue(c context.Context, in *issueCard) (*cards.Card, error) {
	made, err := s.Cards.Issue(c, in.Body)
	if err != nil {
		return nil, err
	}
	return &made[0], nil
}

func (s *Cards) renew(c context.Context, in *CardSerial) (*cards.Card, error) {
	return s.Cards.Renew(c, in.Serial)
}

func (s *Cards) oppose(c context.Context, in *opposeCard) (Nothing, error) {
	return Nothing{}, s.Cards.Oppose(c, in.Serial, in.Body.Reason)
}

func (s *Cards) unblock(c context.Context, in *unblockCard) (Nothing, error) {
	if in.Body == (Unblocking{}) {
		return Nothing{}, s.Cards.Unblock(c, in.Serial)
	}
	return Nothing{}, s.Cards.UnblockBy(c, in.Serial, in.Body.PUK, in.Body.PIN)
}

func (s *Cards) kits(context.Context, *None) (*List[cards.Kit], error) { return all(cards.Kits()), nil }

func (s *Cards) issueKit(c context.Context, in *issueKit) (*List[cards.Card], error) {
	kit, err := cards.KitNamed(in.Name)
	if err != nil {
		return nil, err
	}
	list, err := s.Cards.Issue(c, cards.Request{Kit: kit})
	return all(list), err
}

func (s *Cards) test(c context.Context, in *testCards) (*List[cards.Card], error) {
	kit, err := cards.TestKit(in.Body.Profession, in.Body.Count)
	if err != nil {
		return nil, err
	}
	list, err := s.Cards.Issue(c, cards.Request{Kit: kit})
	return all(list), err
}

func (s *Cards) p12(c context.Context, in *cardP12) (out File, err error) {
	cert, err := s.certificateFor(c, &in.cardCertificate)
	if err != nil {
		return out, err
	}
	return in.packed(c, s.PKI, cert, "carte-"+cert.CardSerial)
}

func (s *Cards) pem(c context.Context, in *cardCertificate) (out File, err error) {
	cert, err := s.certificateFor(c, in)
	if err != nil {
		return out, err
	}
	data, _, err := s.PKI.PEM(c, cert)
	return File{"carte-" + cert.CardSerial + ".pem", "application/x-pem-file", data}, err
}

func (s *Cards) certificateFor(c context.Context, in *cardCertificate) (*pki.Certificate, error) {
	return s.Cards.Certificate(c, in.Serial, cmp.Or(in.Use, cards.ForAuthentication))
}

func (s *Cards) sign(c context.Context, in *signText) (*cards.Signature, error) {
	return s.Cards.Sign(c, in.Serial, in.Body.PIN, in.Body.Text)
}

func (s *Cards) verify(c context.Context, in *verifySignature) (out Signer, err error) {
	who, err := s.Cards.Verify(c, &in.Body)
	if err != nil {
		return out, err
	}
	return Signer{who.NationalID, who.GivenName + " " + who.FamilyName}, nil
}

func (s *Cards) operations() []Operation {
	card := Example{Path: map[string]string{"serial": exampleCard}}
	return of("cards",
		operation("GET", "/cards", "listCards", "List cards, by serial", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid), example(Example{Query: examplePersons})),
		operation("POST", "/cards", "issueCard", "Issue a card", s.issue,
			says("A person's card; with production: true one like those of production. With service and structure a "+
				"carte de service, which names no person."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.IdentityUnknown,
				problem.CardTypeUnknown,
				problem.CardCPFNotStudent,
				problem.CardState,
				problem.PINForm,
				problem.StructureNameMissing,
				problem.StructureNumber,
			),
			example(Example{Body: map[string]any{"national_id": examplePerson["id"], "type": "CPS", "pin": "1234"}})),
		operation("POST", "/cards/:serial/renew", "renewCard", "Renew a card: the new one takes its place", s.renew,
			refuses(problem.CardUnknown, problem.CardNotRenewable, problem.IdentityUnknown), example(card)),
		operation("GET", "/cards/:serial", "getCard", "Get a card", s.get, refuses(problem.CardUnknown), example(card)),
		operation("POST", "/cards/:serial/oppose", "opposeCard", "Put a card out of use", s.oppose,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.CardUnknown, problem.CardOpposed),
			example(Example{Path: card.Path, Body: Opposition{"perdue"}})),
		operation(
			"POST",
			"/cards/:serial/unblock",
			"unblockCard",
			"Unblock a card",
			s.unblock,
			says("With puk and pin as its holder, with nothing: with authority."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.CardUnknown,
				problem.CardNotBlocked,
				problem.CardOpposed,
				problem.CardDead,
				problem.PUKWrong,
				problem.PINForm,
			),
			example(Example{Path: card.Path, Body: Unblocking{}}),
		),
		operation("GET", "/cards/kits", "listKits", "List the kits of test cards", s.kits,
			says("The kit d'intégration, and sets for a structure.")),
		operation(
			"POST",
			"/cards/test",
			"issueTestCards",
			"Issue individual test cards with their people",
			s.test,
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.CountInvalid,
				problem.ProfessionUnknown,
				problem.NumbersExhausted,
			),
			example(Example{Body: TestCards{"60", 2}}),
		),
		operation("POST", "/cards/:serial/sign", "signWithCard", "Sign a text with a card, as its holder", s.sign,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.CardForeign), refuses(presenting...),
			example(Example{Path: card.Path, Body: Signing{"1234", "Bonjour"}})),
		operation(
			"POST",
			"/cards/verify",
			"verifySignature",
			"Verify a signature that a card made",
			s.verify,
			status(
				201,
			),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.CertificateUnreadable,
				problem.SignatureWrong,
				problem.CertificateExpired,
				problem.CertificateRevoked,
				problem.CertificateNotForSignature,
				problem.CertificateNotACard,
				problem.CertificateOtherAuthority,
				problem.CertificateUnknownAuthority,
			),
			example(Example{Body: cards.Signature{Text: "Bonjour", Signature: []byte(exampleSignature),
				Certificate: []byte(exampleDER)}}),
		),
		operation("POST", "/cards/kits/:name", "issueKit", "Make a kit's people and their cards", s.issueKit,
			refuses(problem.KitUnknown), example(Example{Path: map[string]string{"name": "integration"}})),
		operation("GET", "/cards/:serial/p12", "getCardP12", "Get a card's certificate and key as PKCS #12", s.p12,
			answers("application/x-pkcs12", "the file"),
			refuses(problem.CardUnknown, problem.UseUnknown, problem.CardForeign, problem.CardNotNominative), example(card)),
		operation("GET", "/cards/:serial/certificate", "getCardCertificate", "Get a card's certificate as PEM", s.pem,
			answers("application/x-pem-file", "the certificate with those above it"),
			refuses(problem.CardUnknown, problem.UseUnknown, problem.CardForeign, problem.CardNotNominative),
			example(Example{Path: card.Path, Query: map[string]string{"use": "sign"}})),
	)
}
