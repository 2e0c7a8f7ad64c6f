// Package cards holds the CPx cards: their types, states, code porteur,
// certificates, and the reader they are put into.
package cards

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"pscemu/cards/pki"
	"pscemu/clock"
	"pscemu/config"
	"pscemu/identities"
	"pscemu/identities/nomenclature"
	"pscemu/problem"
	"pscemu/store"
)

// Type describes one card family.
type Type struct {
	Name    string
	Label   string
	Profile string // certificate profile for authentication
	Signs   string // certificate profile for signature
	Product string // TRE_G02
	Level   string // TRE_G04: 01 = head of structure
	Staff   bool   // named by a structure, not by a profession
	Colour  string // of the printed face, ours
}

// Types lists the families.
var Types = []Type{
	{"CPS", "Carte de professionnel de santé", "CARD_AUTH", "CARD_SIGN", "00", "", false, "#1f6fb2"},
	{"CPF", "Carte de professionnel en formation", "CARD_AUTH", "CARD_SIGN", "01", "", false, "#3a9a8f"},
	{"CPE", "Carte de personnel d'établissement", "STAFF_AUTH", "STAFF_SIGN", "02", "", true, "#c98a1b"},
	{"CDE", "Carte de directeur d'établissement", "STAFF_AUTH", "STAFF_SIGN", "02", "01", true, "#a8531f"},
	{"CPA", "Carte de personnel autorisé", "STAFF_AUTH", "STAFF_SIGN", "03", "", true, "#7a5aa6"},
	{"CDA", "Carte de directeur autorisé", "STAFF_AUTH", "STAFF_SIGN", "03", "01", true, "#523a78"},
}

// TypeNamed finds a family by its name.
func TypeNamed(name string) (Type, error) {
	var names []string
	for _, t := range Types {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Type{}, problem.New(problem.Invalid, "card-type-unknown", "no such card type").Got(name).Want(strings.Join(names, ", "))
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
	Type        string    `json:"type"`
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

// held lists the serials of each person's cards, oldest first.
var held = store.Collection[[]string]("cards-held")

// place keeps a new card under a number that is free.
func place(tx store.Tx, c *Card) error {
	for {
		_, err := Collection.Get(tx, c.Serial)
		if errors.Is(err, store.ErrNotFound) {
			return keep(tx, *c)
		}
		if err != nil {
			return err
		}
		c.Serial = digits(c.Serial[:2], 8)
	}
}

// keep writes a card, and notes it with its holder.
func keep(tx store.Tx, c Card) error {
	serials, err := held.Maybe(tx, c.NationalID)
	if err != nil {
		return err
	}
	if !slices.Contains(serials, c.Serial) {
		if err := held.Put(tx, c.NationalID, append(serials, c.Serial), store.Forever); err != nil {
			return err
		}
	}
	return Collection.Put(tx, c.Serial, c, store.Forever)
}

// Index notes every card with its holder: data folders of before the index
// need it once.
func (d *Desk) Index(ctx context.Context) error {
	return d.store.Update(ctx, func(tx store.Tx) error {
		all, err := Collection.List(tx, "", 1<<30)
		for _, c := range all {
			if err == nil {
				err = keep(tx, c)
			}
		}
		return err
	})
}

// Desk issues cards and judges their use.
type Desk struct {
	store    store.Store
	clock    clock.Clock
	people   *identities.People
	pki      *pki.PKI
	settings *config.Live
	making   sync.Mutex // certificates are made on demand, one at a time
}

// New opens the desk.
func New(s store.Store, c clock.Clock, people *identities.People, p *pki.PKI, settings *config.Live) *Desk {
	return &Desk{store: s, clock: c, people: people, pki: p, settings: settings}
}

// DefaultPIN is the code porteur of a card issued without one.
const DefaultPIN = "1234"

// IssueLikeProduction gives the person a card with production's category.
func (d *Desk) IssueLikeProduction(ctx context.Context, nationalID, typeName, pin string) (*Card, error) {
	c, err := d.Issue(ctx, nationalID, typeName, pin)
	if err != nil {
		return nil, err
	}
	return d.change(ctx, c.Serial, func(c *Card) error { c.Production = true; return nil })
}

// Issue gives the person a card of this type; pin "" means DefaultPIN.
func (d *Desk) Issue(ctx context.Context, nationalID, typeName, pin string) (*Card, error) {
	c, person, err := d.cardFor(ctx, nationalID, typeName)
	if err != nil {
		return nil, err
	}
	if c.Type == "CPF" && (!person.Student() || identities.OrderOf(person.Profession()) == "") {
		return nil, problem.New(problem.Conflict, "card-cpf-not-student", "Une CPF est celle d'un étudiant d'une profession à ordre").Got("profession " + person.Profession()).Do("les autres étudiants ont une CPE")
	}
	if pin != "" {
		c.PIN = pin
	}
	if err := checkPIN(c.PIN); err != nil {
		return nil, err
	}
	return c, d.save(ctx, c)
}

func checkPIN(pin string) error {
	if len(pin) != 4 || strings.Trim(pin, "0123456789") != "" {
		return problem.New(problem.Invalid, "pin-form", "the code porteur has the wrong form").Got(fmt.Sprintf("%d characters", len(pin))).Want("4 digits")
	}
	return nil
}

// Produce makes a person's card that is on its way until Receive.
func (d *Desk) Produce(ctx context.Context, nationalID, typeName string) (*Card, error) {
	c, _, err := d.cardFor(ctx, nationalID, typeName)
	if err != nil {
		return nil, err
	}
	c.State = Sent
	return c, d.save(ctx, c)
}

// cardFor makes a person's card of a family; nothing is kept yet.
func (d *Desk) cardFor(ctx context.Context, nationalID, typeName string) (*Card, *identities.Identity, error) {
	t, err := TypeNamed(typeName)
	if err != nil {
		return nil, nil, err
	}
	person, err := d.people.Get(ctx, nationalID)
	if err != nil {
		return nil, nil, err
	}
	c := d.newCard(person, t)
	return &c, person, nil
}

// IssueService makes a carte de service of a structure: a CPE that names no
// person. number is the structure's SIRET (14 digits) or FINESS (9).
func (d *Desk) IssueService(ctx context.Context, structure, number string, state State) (*Card, error) {
	prefix := map[int]string{14: "5", 9: "3"}[len(number)]
	if prefix == "" || !nomenclature.Luhn(number) {
		return nil, problem.New(problem.Invalid, "structure-number", "the structure's number cannot be used").Got(number).Want("SIRET (14 digits) or FINESS (9 characters) with a right key")
	}
	if strings.TrimSpace(structure) == "" {
		return nil, problem.New(problem.Invalid, "structure-name-missing", "a carte de service bears the structure's name").Want("name")
	}
	t, err := TypeNamed("CPE")
	if err != nil {
		return nil, err
	}
	inner := digits("", 9)
	c := d.newCard(&identities.Identity{NationalID: prefix + number + "/" + inner, FamilyName: "EMPLOYE" + inner}, t)
	c.Service, c.State = structure, state
	return &c, d.save(ctx, &c)
}

// Renew makes a card that takes this one's place: same holder and family, a
// validity of its own. The old one is out of use from now on.
func (d *Desk) Renew(ctx context.Context, serial string) (*Card, error) {
	old, err := d.Get(ctx, serial)
	if err != nil {
		return nil, err
	}
	if old.Foreign || old.State == Opposed {
		return nil, problem.New(problem.Conflict, "card-not-renewable", "Cette carte ne se renouvelle pas").Got(string(old.State)).Want("une carte émise ici, non opposée").Do("commandez une carte de remplacement (F501)")
	}
	c := *old
	now := d.clock.Now()
	c.Serial, c.State, c.WrongPINs, c.WrongPUKs, c.Certificate, c.Signature = digits(serial[:2], 8), Active, 0, 0, "", ""
	c.IssuedAt, c.ExpiresAt, c.Replaces, c.PUK = now, now.AddDate(3, 0, 0), serial, digits("", 8)
	if err := d.save(ctx, &c); err != nil {
		return nil, err
	}
	return &c, d.Oppose(ctx, serial, "renouvelée par "+c.Serial)
}

// Receive is the arrival of a card; one that is in use already stays so.
func (d *Desk) Receive(ctx context.Context, serial string) error {
	_, err := d.change(ctx, serial, func(c *Card) error {
		if c.State == Sent {
			c.State = Active
		}
		return nil
	})
	return err
}

// NewCode gives a card a new code porteur, which the holder is sent.
func (d *Desk) NewCode(ctx context.Context, serial string) (*Card, error) {
	return d.change(ctx, serial, func(c *Card) error {
		if c.State == Opposed {
			return problem.New(problem.Conflict, "card-opposed", "Cette carte est en opposition").Got(c.Reason)
		}
		c.PIN, c.WrongPINs = digits("", 4), 0
		if c.State == Blocked {
			c.State = Active
		}
		return nil
	})
}

// SetAddress keeps where a card's holder is written to.
func (d *Desk) SetAddress(ctx context.Context, serial, address string) error {
	_, err := d.change(ctx, serial, func(c *Card) error { c.Address = address; return nil })
	return err
}

// newCard makes a person's active card with DefaultPIN; nothing is kept yet.
func (d *Desk) newCard(i *identities.Identity, t Type) Card {
	now := d.clock.Now()
	return Card{Serial: digits("9"+t.Product[1:], 8), Type: t.Name, State: Active, NationalID: i.NationalID, Holder: i.Name(), PIN: DefaultPIN, PUK: digits("", 8), IssuedAt: now, ExpiresAt: now.AddDate(3, 0, 0)}
}

func (d *Desk) save(ctx context.Context, c *Card) error {
	return d.store.Update(ctx, func(tx store.Tx) error { return place(tx, c) })
}

// IssueIn gives the person a CPS that is in this state already.
func (d *Desk) IssueIn(ctx context.Context, i *identities.Identity, state State) error {
	c := d.newCard(i, Types[0])
	c.become(state)
	return d.save(ctx, &c)
}

// IssueAs gives the person a card of this type that is in this state already;
// pin "" means DefaultPIN.
func (d *Desk) IssueAs(ctx context.Context, nationalID, typeName, pin string, state State) error {
	c, err := d.Issue(ctx, nationalID, typeName, pin)
	if err != nil || state == Active {
		return err
	}
	if !slices.Contains([]State{Blocked, Opposed, Expired}, state) {
		return problem.New(problem.Invalid, "card-state", "a card cannot be issued in this state").Got(string(state)).Want("active, blocked, opposed or expired")
	}
	_, err = d.change(ctx, c.Serial, func(c *Card) error { c.become(state); return nil })
	return err
}

// become puts a new card into a state.
func (c *Card) become(state State) {
	c.State = state
	switch state {
	case Expired:
		c.State, c.IssuedAt, c.ExpiresAt = Active, c.IssuedAt.AddDate(-3, 0, -1), c.IssuedAt.AddDate(0, 0, -1)
	case Blocked:
		c.WrongPINs = MaxWrongPINs
	case Opposed:
		c.Reason = "perte ou vol"
	}
}

// IssueAll gives each person the card that goes with them, in one transaction;
// the people are there already.
func (d *Desk) IssueAll(ctx context.Context, people []identities.Identity) error {
	return d.store.Update(ctx, func(tx store.Tx) error {
		for n := range people {
			t, err := TypeNamed(TypeFor(&people[n]))
			if err == nil {
				c := d.newCard(&people[n], t)
				err = place(tx, &c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// TypeFor is the card family that goes with a person: staff, whose ids hold a
// slash, have CPE, CDE, CPA or CDA as their internal id begins, else CPE; a
// student has a CPF, everybody else a CPS.
func TypeFor(i *identities.Identity) string {
	if _, internal, staff := strings.Cut(i.NationalID, "/"); staff {
		for _, t := range Types {
			if t.Staff && strings.HasPrefix(internal, t.Name) {
				return t.Name
			}
		}
		return "CPE"
	}
	if i.Student() {
		return "CPF"
	}
	return "CPS"
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
func (d *Desk) Get(ctx context.Context, serial string) (*Card, error) {
	c, err := Collection.Load(ctx, d.store, serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "card-unknown", "no such card").Got(serial).Want("a serial as `pscemu cards list` prints it")
	}
	c.State = d.stateOf(c)
	return &c, err
}

func (d *Desk) stateOf(c Card) State {
	if c.State == Active && !d.clock.Now().Before(c.ExpiresAt) {
		return Expired
	}
	return c.State
}

// List returns the cards of a person ("" = of everybody) behind after.
func (d *Desk) List(ctx context.Context, nationalID, after string, limit int) ([]Card, error) {
	if nationalID != "" {
		return d.of(ctx, nationalID, after, limit)
	}
	page, err := Collection.Page(ctx, d.store, after, limit)
	for n := range page {
		page[n].State = d.stateOf(page[n])
	}
	return page, err
}

// of finds a person's cards, however many others there are.
func (d *Desk) of(ctx context.Context, nationalID, after string, limit int) ([]Card, error) {
	out := []Card{}
	err := d.store.View(ctx, func(tx store.Tx) error {
		serials, err := held.Maybe(tx, nationalID)
		if err != nil {
			return err
		}
		slices.Sort(serials)
		serials = slices.DeleteFunc(serials, func(serial string) bool { return serial <= after })
		all, err := Collection.Those(tx, serials[:min(len(serials), limit)])
		for n := range all {
			all[n].State = d.stateOf(all[n])
		}
		out = append(out, all...)
		return err
	})
	return out, err
}

// Oppose puts a card out of use for good and revokes its certificate.
func (d *Desk) Oppose(ctx context.Context, serial, reason string) error {
	if reason == "" {
		reason = "perte ou vol"
	}
	c, err := d.change(ctx, serial, func(c *Card) error {
		c.State, c.Reason = Opposed, reason
		return nil
	})
	for _, certificate := range []string{c.Certificate, c.Signature} {
		if err == nil && certificate != "" {
			err = d.pki.Revoke(ctx, certificate)
		}
	}
	return err
}

// Unblock lets a card that wrong codes blocked be used again, with authority.
func (d *Desk) Unblock(ctx context.Context, serial string) error {
	_, err := d.change(ctx, serial, func(c *Card) error { return c.unblock("") })
	return err
}

// UnblockBy is the holder's way: the unblocking code, and a new code porteur.
// Three wrong ones in a row leave the card blocked for good.
func (d *Desk) UnblockBy(ctx context.Context, serial, puk, pin string) error {
	if err := checkPIN(pin); err != nil {
		return err
	}
	var verdict error
	_, err := d.change(ctx, serial, func(c *Card) error {
		switch {
		case c.WrongPUKs >= MaxWrongPUKs:
			return problem.New(problem.Forbidden, "card-dead", "Trop de codes de déblocage erronés : cette carte ne sert plus").Do("commandez une carte de remplacement")
		case subtle.ConstantTimeCompare([]byte(c.PUK), []byte(puk)) == 1 && c.PUK != "":
			return c.unblock(pin)
		}
		c.WrongPUKs++
		verdict = problem.New(problem.Forbidden, "puk-wrong", "Code de déblocage erroné").Do(fmt.Sprintf("il reste %d essai(s)", MaxWrongPUKs-c.WrongPUKs))
		return nil
	})
	return errors.Join(err, verdict)
}

func (c *Card) unblock(pin string) error {
	if c.State != Blocked {
		return problem.New(problem.Conflict, "card-not-blocked", "the card is not blocked").Got(string(c.State)).Want("blocked")
	}
	c.State, c.WrongPINs, c.WrongPUKs = Active, 0, 0
	if pin != "" {
		c.PIN = pin
	}
	return nil
}

func (d *Desk) change(ctx context.Context, serial string, fn func(*Card) error) (*Card, error) {
	var out Card
	err := d.store.Update(ctx, func(tx store.Tx) error {
		c, err := Collection.Get(tx, serial)
		if errors.Is(err, store.ErrNotFound) {
			return problem.New(problem.NotFound, "card-unknown", "no such card").Got(serial)
		}
		if err == nil {
			err = fn(&c)
		}
		if err != nil {
			return err
		}
		out = c
		return Collection.Put(tx, serial, c, store.Forever)
	})
	return &out, err
}

// Usable refuses a card that is out of use, or names no person, with the reason.
func (d *Desk) Usable(c *Card) error {
	if accepted := d.settings.Policies(nil, nil).CardsAccepted; !c.Foreign && accepted != "both" && c.Production != (accepted == "production") {
		return problem.New(problem.Forbidden, "card-other-environment", "Une carte de production ne sert qu'en production, une carte de test au bac à sable seulement").Got(c.Serial).Want("cards-accepted " + accepted).Do("utilisez une carte de l'environnement, ou changez le réglage cards-accepted")
	}
	if c.Service != "" {
		return problem.New(problem.Forbidden, "card-not-nominative", "Une carte de service ne désigne personne : elle ne connecte pas et n'active pas d'e-CPS").Got(c.Serial).Do("utilisez une carte nominative")
	}
	switch d.stateOf(*c) {
	case Sent:
		return problem.New(problem.Forbidden, "card-not-delivered", "Cette carte n'est pas encore arrivée").Got(c.Serial).Do("attendez sa réception (POST /api/v1/orders/{id}/deliver)")
	case Opposed:
		return problem.New(problem.Forbidden, "card-opposed", "Cette carte est en opposition").Got(c.Reason).Do("utilisez une autre carte")
	case Blocked:
		return problem.New(problem.Forbidden, "card-blocked", "Cette carte est bloquée après trois codes erronés").Do("débloquez-la (pscemu cards unblock)")
	case Expired:
		return problem.New(problem.Forbidden, "card-expired", "Cette carte a expiré").Got(c.ExpiresAt.Format("02/01/2006")).Do("utilisez une carte en cours de validité")
	}
	return nil
}

// PresentPIN is the reader's way: the card and its code porteur. Wrong tries
// are counted in the store before the answer is given.
func (d *Desk) PresentPIN(ctx context.Context, serial, pin string) (*Card, error) {
	var verdict error
	c, err := d.change(ctx, serial, func(c *Card) error {
		if err := d.Usable(c); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(c.PIN), []byte(pin)) == 1 {
			c.WrongPINs = 0
			return nil
		}
		c.WrongPINs++
		left := MaxWrongPINs - c.WrongPINs
		verdict = problem.New(problem.Forbidden, "pin-wrong", "Code porteur erroné").Do(fmt.Sprintf("il reste %d essai(s)", left))
		if left <= 0 {
			c.State = Blocked
			verdict = problem.New(problem.Forbidden, "card-blocked", "Code porteur erroné pour la troisième fois : cette carte est bloquée").Do("débloquez-la (pscemu cards unblock)")
		}
		return nil
	})
	if err == nil {
		err = verdict
	}
	return c, err
}

// PresentCertificate is the browser's way: a certificate the TLS handshake
// proved and the PKI accepted. The person is derived from it when unknown.
func (d *Desk) PresentCertificate(ctx context.Context, id *pki.CardIdentity) (*Card, error) {
	if !id.Foreign && id.CardSerial != "" {
		c, err := d.Get(ctx, id.CardSerial)
		if err != nil {
			return nil, err
		}
		if c.NationalID != id.NationalID {
			return nil, problem.New(problem.Forbidden, "card-mismatch", "the certificate does not name this card's holder").Got(id.NationalID).Want(c.NationalID)
		}
		return c, d.Usable(c)
	}
	if err := d.derive(ctx, id); err != nil {
		return nil, err
	}
	c := Card{Serial: id.Serial, Type: derivedType(id), State: Active, NationalID: id.NationalID, Holder: id.GivenName + " " + id.FamilyName, IssuedAt: d.clock.Now(), ExpiresAt: d.clock.Now().AddDate(3, 0, 0), Foreign: true}
	known, err := d.Get(ctx, c.Serial)
	if err == nil {
		return known, d.Usable(known)
	}
	return &c, d.store.Update(ctx, func(tx store.Tx) error { return keep(tx, c) })
}

func derivedType(id *pki.CardIdentity) string {
	for _, t := range Types {
		if t.Product == id.Product && t.Level == strings.Trim(id.Level, "\x00") {
			return t.Name
		}
	}
	if strings.Contains(id.NationalID, "/") {
		return "CPE"
	}
	return "CPS"
}

// derive makes the account of a person whom only their card names so far.
func (d *Desk) derive(ctx context.Context, id *pki.CardIdentity) error {
	_, err := d.people.Get(ctx, id.NationalID)
	if !problem.Is(err, "identity-unknown") {
		return err
	}
	person := &identities.Identity{NationalID: id.NationalID, FamilyName: id.FamilyName, GivenName: id.GivenName, Behaviour: identities.Behaviour{Action: identities.Ask},
		Notes: "compte créé à partir de la carte", Tags: []string{"carte"}}
	e := identities.Exercise{Profession: id.Profession, FamilyName: id.FamilyName, GivenName: id.GivenName}
	if id.StructureID != "" {
		e.Activities = []identities.Activity{{CorporateName: id.Structure, FormerStructureID: id.StructureID}}
	}
	if e.Profession != "" || len(e.Activities) > 0 {
		person.Exercises = []identities.Exercise{e}
	}
	if err := person.CheckCodes(); err != nil {
		person.AllowInvalid = "as the card says: " + problem.From(err).Reason
	}
	return d.people.Derive(ctx, person)
}

// Uses of a card's certificates.
const (
	ForAuthentication = "auth"
	ForSignature      = "sign"
)

// Certificate returns one of the card's two certificates, made at first use.
func (d *Desk) Certificate(ctx context.Context, serial, use string) (*pki.Certificate, error) {
	if use != ForAuthentication && use != ForSignature {
		return nil, problem.New(problem.Invalid, "use-unknown", "no such certificate of a card").Got(use).Want("auth or sign")
	}
	d.making.Lock()
	defer d.making.Unlock()
	c, err := d.Get(ctx, serial)
	if err != nil {
		return nil, err
	}
	if c.Foreign {
		return nil, problem.New(problem.Conflict, "card-foreign", "this card was not issued here, so its key is not here").Got(serial)
	}
	if made := *c.certificate(use); made != "" {
		return d.pki.Certificate(ctx, made)
	}
	t, err := TypeNamed(c.Type)
	if err != nil {
		return nil, err
	}
	profile := t.Profile
	if use == ForSignature {
		profile = t.Signs
	}
	name, extra, err := d.inside(ctx, t, c)
	if err != nil {
		return nil, err
	}
	cert, err := d.pki.Issue(ctx, pki.Order{Profile: profile, Subject: name, CardSerial: serial, Extra: extra, Production: c.Production, NotAfter: c.ExpiresAt})
	if err != nil {
		return nil, err
	}
	_, err = d.change(ctx, serial, func(c *Card) error { *c.certificate(use) = cert.Serial; return nil })
	return cert, err
}

// certificate is where the serial of the certificate for this use is kept.
func (c *Card) certificate(use string) *string {
	if use == ForSignature {
		return &c.Signature
	}
	return &c.Certificate
}

// inside is what a card's certificates say: their subject and extensions.
func (d *Desk) inside(ctx context.Context, t Type, c *Card) (pki.Name, map[string]string, error) {
	if c.Service != "" {
		structure, _, _ := strings.Cut(c.NationalID, "/")
		return pki.ServiceName("Paris (75)", c.Service, structure, "Carte de service santé ou social", c.Holder, c.NationalID), extensions(t, c, &identities.Identity{}), nil
	}
	person, err := d.people.Get(ctx, c.NationalID)
	if err != nil {
		return nil, nil, err
	}
	return subject(t, person), extensions(t, c, person), nil
}

func subject(t Type, i *identities.Identity) pki.Name {
	if !t.Staff {
		return pki.PSName(nomenclature.ProfessionLabel(i.Profession()), i.NationalID, i.FamilyName, i.GivenName)
	}
	a := i.MainActivity()
	structure, _, _ := strings.Cut(i.NationalID, "/")
	return pki.StaffName(a.CorporateName, strings.TrimPrefix(a.Cedex, a.PostalCode+" ")+" ("+a.Department+")", structure, i.NationalID, i.FamilyName, i.GivenName)
}

func extensions(t Type, c *Card, i *identities.Identity) map[string]string {
	x := map[string]string{pki.ExtProduct.String(): t.Product, pki.ExtCardSerial.String(): c.Serial}
	profession := pki.ExtProfession
	if t.Name == "CPF" {
		profession = pki.ExtStudent
	}
	if i.Profession() != "" {
		x[profession.String()] = i.Profession()
	}
	if t.Level != "" {
		x[pki.ExtLevel.String()] = t.Level
	}
	return x
}

// Serials lists the serials of a person's usable cards, oldest first.
func (d *Desk) Serials(ctx context.Context, nationalID string) ([]string, error) {
	all, err := d.List(ctx, nationalID, "", 100)
	all = slices.DeleteFunc(all, func(c Card) bool { return c.State != Active })
	slices.SortFunc(all, func(a, b Card) int { return a.IssuedAt.Compare(b.IssuedAt) })
	var out []string
	for _, c := range all {
		out = append(out, c.Serial)
	}
	return out, err
}
