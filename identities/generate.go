package identities

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"unicode"

	"pscemu/identities/nomenclature"
	"pscemu/problem"
)

// Generator makes people from a seed: the same seed gives the same people,
// byte for byte, whatever their number and whoever asks.
type Generator struct {
	Seed       uint64
	Profession string // code, "" for the mix of the real population
	Theme      string // hospital, practice, pharmacy, lab, ambulance; "" for all
	// Mix weighs professions, such as {"10": 1, "60": 3}; nil is the population's.
	Mix map[string]int
	// Traps gives names that break careless software.
	Traps bool
	// Structures is how many of each kind the people share; 0 means 50.
	Structures int
}

// profession is one row of the generator's data.
type profession struct {
	Code     string `json:"code"`
	Table    string `json:"table"`
	Weight   int    `json:"weight"` // thousands of people, roughly
	Civility string `json:"civility"`
	Order    string `json:"order"`
	KnowHow  *struct {
		Type   string  `json:"type"`
		Table  string  `json:"table"`
		Prefix string  `json:"prefix"`
		Share  float64 `json:"share"`
	} `json:"know_how"`
	Modes   string              `json:"modes"` // L libéral, S salarié; the likelier first
	Sectors map[string][]string `json:"sectors"`
	Themes  []string            `json:"themes"`
}

type town struct{ Postal, Commune, Name, Department string }

//go:embed generator.json
var generatorData []byte

type ingredients struct {
	Professions []profession
	GivenNames  []string `json:"given_names"`
	Syllables   []string
	Endings     []string
	Towns       []town
	Streets     []string
	Structures  map[string]string // by sector
	Themes      map[string][]string
	Traps       []struct {
		Family, Given string
		Times         int // the name is repeated so often
	}
}

var data = sync.OnceValue(func() (d ingredients) {
	if err := json.Unmarshal(generatorData, &d); err != nil {
		panic(err) // embedded, checked by a test
	}
	return d
})

// MaxGenerated is how many people one seed holds: the numbers 1,000,000 to
// 8,999,999 of the test range 997; the rest is the personas' and the magic ones'.
const MaxGenerated = 8_000_000

// Check names what the generator cannot do.
func (g *Generator) Check() error {
	d := data()
	if g.Profession != "" && !slices.ContainsFunc(d.Professions, func(p profession) bool { return p.Code == g.Profession }) {
		var codes []string
		for _, p := range d.Professions {
			codes = append(codes, p.Code+" "+nomenclature.Label(p.Table, p.Code))
		}
		return problem.New(problem.Invalid, "profession-unknown", "no such profession").Got(g.Profession).Want(strings.Join(codes, ", "))
	}
	for code, weight := range g.Mix {
		if !slices.Contains(Professions(), code) || weight < 1 || weight > 1_000_000 {
			return problem.New(problem.Invalid, "mix-invalid", "the mix cannot be used").Got(fmt.Sprintf("%s=%d", code, weight)).Want("codes of professions with weights from 1, such as 10=1,60=3")
		}
	}
	if _, there := d.Themes[g.Theme]; g.Theme != "" && !there {
		return problem.New(problem.Invalid, "theme-unknown", "no such theme").Got(g.Theme).Want("hospital, practice, pharmacy, lab or ambulance")
	}
	if len(g.choices()) == 0 {
		return problem.New(problem.Invalid, "theme-empty", "nobody of this profession works there").Got(g.Profession + " in " + g.Theme).Do("choose another profession or theme")
	}
	return nil
}

// Professions lists the codes of the professions that can be generated.
func Professions() (codes []string) {
	for _, p := range data().Professions {
		codes = append(codes, p.Code)
	}
	return codes
}

// choices are the professions that can be drawn.
func (g *Generator) choices() []profession {
	all := slices.Clone(data().Professions)
	if g.Mix != nil {
		all = slices.DeleteFunc(all, func(p profession) bool { return g.Mix[p.Code] == 0 })
		for n := range all {
			all[n].Weight = g.Mix[all[n].Code]
		}
	}
	return slices.DeleteFunc(all, func(p profession) bool {
		return g.Profession != "" && p.Code != g.Profession || g.Theme != "" && !slices.Contains(p.Themes, g.Theme)
	})
}

// Person is the n-th person of the seed, n from 0.
func (g *Generator) Person(n int) *Identity {
	d := data()
	r := rand.New(rand.NewPCG(g.Seed, uint64(n)))
	p := draw(r, g.choices())
	rpps := testRPPS(g.Seed, n)
	i := &Identity{NationalID: "8" + rpps, Civility: pick(r, []string{"M", "MME"}), GivenName: pick(r, d.GivenNames), FamilyName: pick(r, d.Syllables) + pick(r, d.Endings),
		Behaviour: Behaviour{Action: Approve}, Tags: []string{"generated"}}
	if g.Traps {
		trap := pick(r, d.Traps)
		i.FamilyName, i.GivenName = strings.Repeat(trap.Family, max(trap.Times, 1)), strings.Repeat(trap.Given, max(trap.Times, 1))
	}
	i.Email = letters(fold(i.GivenName)) + "." + letters(fold(i.FamilyName)) + "." + rpps[3:10] + "@exemple.invalid"
	i.Mobile = fmt.Sprintf("+33639980%03d", n%1000) // 06 39 98 is reserved for fiction
	e := Exercise{Profession: p.Code, Category: "C", Civility: p.Civility, FamilyName: i.FamilyName, GivenName: i.GivenName}
	if k := p.KnowHow; k != nil && r.Float64() < k.Share {
		e.KnowHowType, e.KnowHow = k.Type, pick(r, codesWith(k.Table, k.Prefix))
	}
	for n := range 1 + r.IntN(10)/8 { // one in five works in two places
		e.Activities = append(e.Activities, g.activity(r, p, i, rpps, n))
	}
	i.Exercises = []Exercise{e}
	return i
}

// letters keeps what an address may hold everywhere, twenty of them at most.
func letters(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 20)]
}

func draw(r *rand.Rand, from []profession) profession {
	total := 0
	for _, p := range from {
		total += p.Weight
	}
	at := r.IntN(total)
	for _, p := range from {
		if at -= p.Weight; at < 0 {
			return p
		}
	}
	return from[0]
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// testRPPS walks the test range without meeting a number twice.
func testRPPS(seed uint64, n int) string {
	const step = 3_456_791 // no common divisor with the range's size
	at := (seed%MaxGenerated + uint64(n)%MaxGenerated*step) % MaxGenerated
	number := fmt.Sprintf("997%07d", 1_000_000+at)
	return number + nomenclature.LuhnKey(number)
}

// codesWith are the codes in force whose beginning is this prefix.
func codesWith(table, prefix string) []string {
	t, _ := nomenclature.Lookup(table)
	var out []string
	for _, c := range t.Codes {
		if strings.HasPrefix(c.Code, prefix) && c.End == "" && strings.TrimLeftFunc(c.Code[len(prefix):], unicode.IsDigit) == "" {
			out = append(out, c.Code)
		}
	}
	return out
}

// activity is one place of work: a practice of one's own, or a structure that
// others of the same seed share.
func (g *Generator) activity(r *rand.Rand, p profession, i *Identity, rpps string, rank int) Activity {
	mode := string(p.Modes[0])
	if len(p.Modes) > 1 && r.IntN(10) < 3 {
		mode = string(p.Modes[1])
	}
	sectors := p.Sectors[mode]
	if theme := data().Themes[g.Theme]; theme != nil {
		if fit := slices.DeleteFunc(slices.Clone(sectors), func(s string) bool { return !slices.Contains(theme, s) }); len(fit) > 0 {
			sectors = fit
		}
	}
	a := Activity{Mode: mode, Sector: pick(r, sectors), Kind: "GENR01", Country: "99000"}
	if p.Code == "99" {
		a.Kind, a.Role = "", codesWith("R85", "")[0]
	}
	if p.Code == "21" {
		a.PharmacistSection = map[string]string{"LSA33": "A", "SSA33": "D", "SSA01": "H"}[mode+a.Sector]
	}
	if p.Order != "" {
		a.RegistrationAuthority = strings.Join([]string{p.Order, p.Order, p.Order}, "/")
		if mode == "S" {
			a.RegistrationAuthority = p.Order + "/" + p.Order + "/ARS"
		}
	}
	if mode == "L" && (a.Sector == "SA07" || a.Sector == "SA42") {
		g.practice(r, &a, i, rpps, rank)
	} else {
		g.structure(r, &a)
	}
	return a
}

// practice is a person's own: its former id is their RPPS-rang.
func (g *Generator) practice(r *rand.Rand, a *Activity, i *Identity, rpps string, rank int) {
	place(r, a)
	rang := fmt.Sprintf("%s%02d", rpps, rank)
	a.CorporateName = data().Structures[a.Sector] + " " + i.FamilyName
	a.StructureID = "R" + rpps[3:10] + fmt.Sprint(rank)
	a.FormerStructureID = "4" + rang + nomenclature.LuhnKey(rang)
}

// structure draws one of the seed's; it is the same for all who work there.
func (g *Generator) structure(r *rand.Rand, a *Activity) {
	n := g.Structures
	if n == 0 {
		n = 50
	}
	at := r.IntN(n)
	var sector uint64
	_, _ = fmt.Sscanf(a.Sector, "SA%d", &sector)
	own := rand.New(rand.NewPCG(g.Seed^0x5ca1ab1e, sector<<32|uint64(at)))
	place(own, a)
	number := fmt.Sprintf("0B%06d", (int(sector)*10_007+at*101)%1_000_000)
	a.FINESS = number + nomenclature.LuhnKey(number)
	siren := fmt.Sprintf("00%06d", (int(sector)*1_009+at)%1_000_000)
	siret := siren + nomenclature.LuhnKey(siren) + "0001"
	a.SIREN, a.SIRET = siret[:9], siret+nomenclature.LuhnKey(siret)
	a.StructureID, a.FormerStructureID = "F"+a.FINESS, "1"+a.FINESS
	a.CorporateName = fmt.Sprintf("%s %s%s", data().Structures[a.Sector], pick(own, data().Syllables), pick(own, data().Endings))
}

func place(r *rand.Rand, a *Activity) {
	t := pick(r, data().Towns)
	a.StreetNumber, a.StreetType, a.StreetName = fmt.Sprint(1+r.IntN(120)), "RUE", pick(r, data().Streets)
	a.PostalCode, a.Commune, a.Department, a.Cedex = t.Postal, t.Commune, t.Department, t.Postal+" "+t.Name
}
