// Package cards holds the CPx cards: their types, states, code porteur,
// certificates, and the reader they are put into.
package cards

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Type is the name of a card family.
type Type string

// The types of cards.
const (
	CPS Type = "CPS" // of a professional
	CPF Type = "CPF" // of a student
	CPE Type = "CPE" // of the staff of a structure that delivers care
	CDE Type = "CDE" // of the head of such a structure
	CPA Type = "CPA" // of the staff of another structure
	CDA Type = "CDA" // of the head of such a structure
)

// Valid tells whether there is such a card.
func (t Type) Valid() bool {
	_, err := FamilyNamed(t)
	return err == nil
}

// Family describes one card family.
type Family struct {
	Name    Type
	Label   string
	Profile pki.ProfileName // of the certificate for authentication
	Signs   pki.ProfileName // of the certificate for signature
	Product string          // TRE_G02
	Level   string          // TRE_G04: 01 = head of structure
	Staff   bool            // named by a structure, not by a profession
	Colour  string          // of the printed face, ours
}

// Families lists the families.
var Families = []Family{
	{CPS, "Carte de professionnel de santé", pki.ProfileCardAuth, pki.ProfileCardSign, "00", "", false, "#1f6fb2"},
	{CPF, "Carte de professionnel en formation", pki.ProfileCardAuth, pki.ProfileCardSign, "01", "", false, "#3a9a8f"},
	{CPE, "Carte de personnel d'établissement", pki.ProfileStaffAuth, pki.ProfileStaffSign, "02", "", true, "#c98a1b"},
	{CDE, "Carte de directeur d'établissement", pki.ProfileStaffAuth, pki.ProfileStaffSign, "02", "01", true, "#a8531f"},
	{CPA, "Carte de personnel autorisé", pki.ProfileStaffAuth, pki.ProfileStaffSign, "03", "", true, "#7a5aa6"},
	{CDA, "Carte de directeur autorisé", pki.ProfileStaffAuth, pki.ProfileStaffSign, "03", "01", true, "#523a78"},
}

// FamilyNamed finds a family by its name.
func FamilyNamed(name Type) (Family, error) {
	var names []string
	for _, t := range Families {
		if t.Name == name {
			return t, nil
		}
		names = append(names, string(t.Name))
	}
	return Family{}, problem.CardTypeUnknown.With("accepted", names).Got(string(name))
}

// State is where a card stands.
type State string

// The states; Expired follows from the date.
const (
	Active  State = "active"
	Opposed State = "opposed"
	Blocked State = "blocked"
	Expired State = "expired"
	Sent    State = "sent" // on its way: of use once it is received
)

// MaxWrongPINs in a row block a card; MaxWrongPUKs in a row leave it blocked
// for good.
const (
	MaxWrongPINs = 3
	MaxWrongPUKs = 3
)

// Card is one card. The code porteur is kept readable: it is a test card's.
type Card struct {
	Serial      string    `json:"serial"`
	Type        Type      `json:"type"`
	State       State     `json:"state"`
	NationalID  string    `json:"national_id"`
	Holder      string    `json:"holder"`
	PIN         string    `json:"pin"`
	PUK         string    `json:"puk,omitempty"` // 8 digits, unblocks the card
	WrongPINs   int       `json:"wrong_pins"`
	WrongPUKs   int       `json:"wrong_puks,omitempty"`
	Reason      string    `json:"reason,omitempty"` // of the opposition
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	Certificate string    `json:"certificate,omitempty"` // serial of the one for authentication, once made
	Signature   string    `json:"signature,omitempty"`   // serial of the one for signature, once made
	Foreign     bool      `json:"foreign,omitempty"`     // seen, not issued here
	Address     string    `json:"address,omitempty"`     // where it is delivered
	Service     string    `json:"service,omitempty"`     // structure of a carte de service, which names no person
	Production  bool      `json:"production,omitempty"`  // like a card of production, which serves production only
	Replaces    string    `json:"replaces,omitempty"`    // serial of the card it renews
}

// Collection is where cards lie in the store, by serial.
var Collection = store.Collection[Card]("cards")

// Cards issues cards and judges their use.
type Cards struct {
	store    store.Store
	clock    clock.Clock
	people   *identities.People
	pki      *pki.PKI
	settings *config.Live
	making   sync.Mutex // certificates are made on demand, one at a time
}

// New opens the desk.
func New(s store.Store, c clock.Clock, people *identities.People, p *pki.PKI, settings *config.Live) *Cards {
	return &Cards{store: s, clock: c, people: people, pki: p, settings: settings}
}

// TypeOf is the card family that goes with a person: staff, whose ids hold a
// slash, have CPE, CDE, CPA or CDA as their internal id begins, else CPE; a
// student of a profession with an order has a CPF, another student a CPE,
// everybody else a CPS.
func TypeOf(i *identities.Identity) Type {
	if _, internal, staff := strings.Cut(i.NationalID, "/"); staff {
		for _, t := range Families {
			if t.Staff && strings.HasPrefix(internal, string(t.Name)) {
				return t.Name
			}
		}
		return CPE
	}
	switch {
	case !i.Student():
		return CPS
	case identities.OrdreOf(i.Profession()) == "":
		return CPE
	}
	return CPF
}

// digits are n random ones behind a prefix: a card's serial is ten, the first
// two from the product type, its unblocking code eight.
func digits(prefix string, n int) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	v, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic(err) // no randomness, no security
	}
	return fmt.Sprintf("%s%0*d", prefix, n, v)
}

// Get finds a card by serial, with its state of now.
func (k *Cards) Get(ctx context.Context, serial string) (c *Card, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		c, err = k.GetIn(tx, serial)
		return err
	})
	return c, err
}

// GetIn finds a card by serial, with its state of now.
func (k *Cards) GetIn(tx store.Tx, serial string) (*Card, error) {
	c, err := find(tx, serial)
	if err != nil {
		return nil, err
	}
	c.State = k.stateOf(*c)
	return c, nil
}

// find finds a card by serial, as it is stored.
func find(tx store.Tx, serial string) (*Card, error) {
	c, err := Collection.Get(tx, serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.CardUnknown.Got(serial)
	}
	return &c, err
}

func (k *Cards) stateOf(c Card) State {
	if c.State == Active && !k.clock.Now().Before(c.ExpiresAt) {
		return Expired
	}
	return c.State
}

// List returns the cards of a person ("" = of everybody) behind after.
func (k *Cards) List(ctx context.Context, nationalID, after string, limit int) ([]Card, error) {
	if nationalID != "" {
		return k.of(ctx, nationalID, after, limit)
	}
	page, err := Collection.Page(ctx, k.store, after, limit)
	for n := range page {
		page[n].State = k.stateOf(page[n])
	}
	return page, err
}

// All is a limit for a person's cards: every one of them.
const All = math.MaxInt

// Count tells how many cards there are, a person's or ("") everybody's, and
// counts no further than to most.
func (k *Cards) Count(ctx context.Context, nationalID string, most int) (int, error) {
	if nationalID == "" {
		return Collection.Count(ctx, k.store, most)
	}
	serials, err := held.LoadMaybe(ctx, k.store, nationalID)
	return len(serials), err
}

// of finds a person's cards, however many others there are.
func (k *Cards) of(ctx context.Context, nationalID, after string, limit int) (out []Card, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		out, err = k.OfIn(tx, nationalID, after, limit)
		return err
	})
	return out, err
}

// OfIn lists a person's cards behind the serial after, by serial.
func (k *Cards) OfIn(tx store.Tx, nationalID, after string, limit int) ([]Card, error) {
	serials, err := held.Maybe(tx, nationalID)
	if err != nil {
		return nil, err
	}
	slices.Sort(serials)
	serials = slices.DeleteFunc(serials, func(serial string) bool { return serial <= after })
	all, err := Collection.Those(tx, serials[:min(len(serials), limit)])
	for n := range all {
		all[n].State = k.stateOf(all[n])
	}
	return append([]Card{}, all...), err
}

// Usable refuses a card that is out of use, or names no person, with the reason.
func (k *Cards) Usable(c *Card) error {
	if accepted := k.settings.Policies(
		nil,
		nil,
	).CardsAccepted; !c.Foreign && accepted != "both" &&
		c.Production != (accepted == "production") {
		return problem.CardOtherEnvironment.With("accepted", accepted).Got(c.Serial)
	}
	if c.Service != "" {
		return problem.CardNotNominative.Got(c.Serial)
	}
	switch k.stateOf(*c) {
	case Sent:
		return problem.CardNotDelivered.Got(c.Serial)
	case Opposed:
		return problem.CardOpposed.Got(c.Reason)
	case Blocked:
		return problem.CardBlocked.Of()
	case Expired:
		return problem.CardExpired.Got(c.ExpiresAt.Format("02/01/2006"))
	}
	return nil
}

// Serials lists the serials of a person's usable cards, oldest first.
func (k *Cards) Serials(ctx context.Context, nationalID string) (out []string, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		out, err = k.SerialsIn(tx, nationalID)
		return err
	})
	return out, err
}

// SerialsIn lists the serials of a person's usable cards, oldest first.
func (k *Cards) SerialsIn(tx store.Tx, nationalID string) ([]string, error) {
	all, err := k.OfIn(tx, nationalID, "", All)
	all = slices.DeleteFunc(all, func(c Card) bool { return c.State != Active })
	slices.SortFunc(all, func(a, b Card) int { return a.IssuedAt.Compare(b.IssuedAt) })
	var out []string
	for _, c := range all {
		out = append(out, c.Serial)
	}
	return out, err
}
