// Package orders is the order desk for cards: the forms of the ANS (F101 …
// F504), who may use them, what they need and what they do. Forms, actors and
// rules are data (desk.json); one engine runs them. Source: the webinar
// « Commande de cartes » of 13/09/2022 and form F414.
package orders

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// Actor is a kind of structure or person that orders.
type Actor struct {
	ID       string    `json:"id"`
	Label    string    `json:"label"`
	Care     bool      `json:"care"`     // delivers care: CDE and CPE, not CDA and CPA
	Own      bool      `json:"own"`      // acts for a practice of their own
	Services []Channel `json:"services"` // TOPS, TOM
	Forms    []string  `json:"forms"`    // that it sees, beside a card holder's
}

// Form is one form of the ANS.
type Form struct {
	No         string   `json:"no"`
	Name       string   `json:"name"`
	Cards      []string `json:"cards"`
	Target     string   `json:"target"`
	Simplified string   `json:"simplified"`          // démarche simplifiée: oui, en cours, non (2022)
	Anyone     bool     `json:"anyone,omitempty"`    // needs neither card nor mandate
	Holder     bool     `json:"holder,omitempty"`    // of the complementary offer to card holders
	Requester  bool     `json:"requester,omitempty"` // somebody with a card asks
	Fields     []Field  `json:"fields"`
	Needs      []Need   `json:"needs"`
	Effects    []Effect `json:"effects"`
}

// Field is one field of a form; Kind says how its value is checked.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Kind     string   `json:"kind"`
	Required bool     `json:"required,omitempty"`
	Choices  []string `json:"choices,omitempty"`
}

// Need is a rule: a check by its name, and what is said when it fails.
type Need struct {
	Check  string `json:"check"`
	Arg    string `json:"arg,omitempty"`
	Say    string `json:"say,omitempty"`
	Remedy string `json:"remedy,omitempty"` // the form that would satisfy it
	Source string `json:"source,omitempty"` // the sentence it comes from
}

// Effect is what an order does when it is accepted, or — at submit — at once.
type Effect struct {
	Do  string `json:"do"`
	Arg string `json:"arg,omitempty"`
	At  string `json:"at,omitempty"`
}

// Online is an online service for card holders.
type Online struct {
	Name   Channel  `json:"name"`
	Label  string   `json:"label"`
	Actors []string `json:"actors"`
	Forms  []string `json:"forms"` // that it offers
	Say    string   `json:"say,omitempty"`
	Remedy string   `json:"remedy,omitempty"`
	Source string   `json:"source,omitempty"`
}

//go:embed desk.json
var deskData []byte

type deskTable struct {
	Actors   []Actor  `json:"actors"`
	Forms    []Form   `json:"forms"`
	Services []Online `json:"services"`
}

var table = sync.OnceValue(func() (t deskTable) {
	if err := json.Unmarshal(deskData, &t); err != nil {
		panic(err) // embedded, checked by a test
	}
	return t
})

// Actors lists who orders.
func Actors() []Actor { return table().Actors }

// Services lists the online services.
func Services() []Online { return table().Services }

// ActorNamed finds an actor.
func ActorNamed(id string) (*Actor, error) {
	var ids []string
	for _, a := range table().Actors {
		if a.ID == id {
			return &a, nil
		}
		ids = append(ids, a.ID)
	}
	return nil, problem.ActorUnknown.With("accepted", ids).Got(id)
}

// FormNamed finds a form.
func FormNamed(no string) (*Form, error) {
	var all []string
	for _, f := range table().Forms {
		if f.No == no {
			return &f, nil
		}
		all = append(all, f.No)
	}
	return nil, problem.FormUnknown.With("accepted", all).Got(no)
}

// Forms lists the forms an actor sees ("" = all): the actor's own, and those
// open to every card holder.
func Forms(actor *Actor) []Form {
	out := []Form{}
	for _, f := range table().Forms {
		if actor == nil || actor.Sees(&f) {
			out = append(out, f)
		}
	}
	return out
}

// Sees tells whether an actor may use a form.
func (a *Actor) Sees(f *Form) bool { return f.Holder || slices.Contains(a.Forms, f.No) }

// offered tells whether a channel is an online service that offers the form:
// one of the actor's, or — TOM opens to any CDA — one for a form it sees.
func (a *Actor) offered(channel Channel, f *Form) bool {
	n := slices.IndexFunc(table().Services, func(s Online) bool { return s.Name == channel })
	return n >= 0 && slices.Contains(table().Services[n].Forms, f.No) &&
		(slices.Contains(a.Services, channel) || a.Sees(f))
}

// words are the words of a field's value.
func words[T ~string](value string) (out []T) {
	for _, w := range strings.Fields(value) {
		out = append(out, T(w))
	}
	return out
}

var (
	mail  = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	phone = regexp.MustCompile(`^\+?[0-9][0-9 .-]{5,18}$`)
)

// keyed wants a number of a length with a right key.
func keyed(length int) func(string) any {
	return func(v string) any {
		if len(v) == length && nomenclature.Luhn(v) {
			return nil
		}
		return problem.WantedKeyed.Of(length)
	}
}

func matching(re *regexp.Regexp, want problem.Phrase) func(string) any {
	return func(v string) any {
		if re.MatchString(v) {
			return nil
		}
		return want
	}
}

// kinds tell, by a field's kind, what a value ought to be; nil when it is right.
var kinds = map[string]func(string) any{
	"siret": keyed(
		14,
	),
	"siren":  keyed(9),
	"finess": keyed(9),
	"email":  matching(mail, problem.WantedMail),
	"phone":  matching(phone, problem.WantedPhone),
	"postal": matching(regexp.MustCompile(`^[0-9AB]{5}$`), problem.WantedPostcode),
	"date": func(v string) any {
		_, err := time.Parse(time.DateOnly, v)
		return unless(err == nil, problem.WantedDate)
	},
	"check": func(v string) any { return unless(v == "oui" || v == "non", problem.WantedYesOrNo) },
	"quantity": func(v string) any {
		n, err := strconv.Atoi(v)
		return unless(err == nil && n >= 1 && n <= 50, problem.WantedQuantity)
	},
	"kit":        func(v string) any { _, err := cards.KitNamed(v); return wanted(err) },
	"profession": func(v string) any { return wanted((&identities.Generator{Profession: v}).Check()) },
	"kinds": func(v string) any {
		for _, k := range strings.Fields(v) {
			if !slices.Contains(CertificateKinds, pki.ProfileName(k)) {
				return CertificateKinds
			}
		}
		return nil
	},
}

// CertificateKinds are the software certificates an administrator may order.
var CertificateKinds = []pki.ProfileName{pki.ProfileAuthCLI, pki.ProfileSign, pki.ProfileConf, pki.ProfileSSLServ}

func unless(good bool, want any) any {
	if good {
		return nil
	}
	return want
}

func wanted(err error) any {
	if err == nil {
		return nil
	}
	return problem.Expected(problem.From(err))
}

// check judges a value; the problem names the field.
func (f *Field) check(value string) error {
	var want any
	switch {
	case value == "":
		return nil
	case f.Kind == "choice":
		want = unless(slices.Contains(f.Choices, value), f.Choices)
	case kinds[f.Kind] != nil:
		want = kinds[f.Kind](value)
	}
	if want == nil {
		return nil
	}
	return problem.OrderFieldWrong.With("label", f.Label).With("name", f.Name).With("wanted", want).Got(value)
}
