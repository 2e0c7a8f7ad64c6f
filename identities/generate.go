package identities

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"unicode"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// Generator makes people from a seed: the same seed gives the same people,
// byte for byte, whatever their number and whoever asks.
type Generator struct {
	Seed       uint64
	Profession string // code, or the card of staff (CPE, CDE, CPA, CDA); "" for the real population's mix
	Theme      string // hospital, practice, pharmacy, lab, ambulance, vendor; "" for all
	// Mix weighs professions and staff, such as {"10": 1, "60": 3, "CPE": 2};
	// nil is the population's.
	Mix map[string]int
	// Traps gives names that break careless software.
	Traps bool
	// Structures is how many of each kind the people share; 0 means 50.
	Structures int
}

// profession is one row of the data that the generator, the rules and the
// form share: what goes with a profession, or with a kind of staff.
type profession struct {
	Code     string `json:"code"` // of the table, or the card of staff
	Table    string `json:"table"`
	Weight   int    `json:"weight"` // thousands of people, roughly
	Staff    bool   `json:"staff"`  // known by a structure, without profession
	Civility string `json:"civility"`
	Order    string `json:"order"` // R82, "" when the ARS registers
	KnowHow  *struct {
		Type   string  `json:"type"`
		Table  string  `json:"table"`
		Prefix string  `json:"prefix"`
		Share  float64 `json:"share"`
	} `json:"know_how"`
	KnowHowTypes []string            `json:"know_how_types"` // R04, that the profession may have
	Civilities   []string            `json:"civilities"`     // R11, that the profession may have
	Modes        string              `json:"modes"`          // L libéral, S salarié; the likelier first
	Sectors      map[string][]string `json:"sectors"`        // R02, by mode; the form offers the others behind them
	Sections     map[string]string   `json:"sections"`       // R06, by mode and sector
	Roles        map[string][]string `json:"roles"`          // R85, by sector
	StudentRoles []string            `json:"student_roles"`  // R21
	Themes       []string            `json:"themes"`
}

// studentShare of the people of a profession with an order are students: CPF
// in circulation on 1 June 2022, 45,943 beside 843,715 CPS.
const studentShare = 0.052

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
	// BySIRET are the sectors whose structures have a SIRET and no FINESS.
	BySIRET []string `json:"by_siret"`
	// SectionSectors are, by section of the pharmacists' table (R06), the
	// sectors it goes with; a section that is not there goes with any.
	SectionSectors map[string][]string `json:"section_sectors"`
	Traps          []struct {
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

// professionOf finds what is known of a profession; nil when nothing is.
func professionOf(code string) *profession {
	for n := range data().Professions {
		if p := &data().Professions[n]; p.Code == code && !p.Staff {
			return p
		}
	}
	return nil
}

// MaxGenerated is how many people one seed holds: the numbers 1,000,000 to
// 8,999,999 of the test range 997; the rest is the personas' and the magic ones'.
const MaxGenerated = 8_000_000

// Check names what the generator cannot do.
func (g *Generator) Check() error {
	d := data()
	known := func(code string) bool {
		return slices.ContainsFunc(d.Professions, func(p profession) bool { return p.Code == code })
	}
	if g.Profession != "" && !known(g.Profession) {
		var codes []string
		for _, p := range d.Professions {
			codes = append(codes, strings.TrimSpace(p.Code+" "+nomenclature.Label(p.Table, p.Code)))
		}
		return problem.ProfessionUnknown.With("accepted", codes).Got(g.Profession)
	}
	for code, weight := range g.Mix {
		if !known(code) || weight < 1 || weight > 1_000_000 {
			return problem.MixInvalid.Got(fmt.Sprintf("%s=%d", code, weight))
		}
	}
	if _, there := d.Themes[g.Theme]; g.Theme != "" && !there {
		return problem.ThemeUnknown.With("accepted", slices.Sorted(maps.Keys(d.Themes))).Got(g.Theme)
	}
	if len(g.choices()) == 0 {
		return problem.ThemeEmpty.With("profession", g.Profession).With("theme", g.Theme)
	}
	return nil
}

// Professions lists the codes of the professions that can be generated.
func Professions() (codes []string) {
	for _, p := range data().Professions {
		if !p.Staff {
			codes = append(codes, p.Code)
		}
	}
	return codes
}

// choices are the professions that can be drawn: staff only where they are
// asked for, by name or by a theme.
func (g *Generator) choices() []profession {
	all := slices.Clone(data().Professions)
	if g.Mix != nil {
		for n := range all {
			all[n].Weight = g.Mix[all[n].Code]
		}
	}
	return slices.DeleteFunc(all, func(p profession) bool {
		return p.Weight == 0 || g.Profession != "" && p.Code != g.Profession ||
			g.Theme != "" && !slices.Contains(p.Themes, g.Theme) ||
			p.Staff && g.Mix == nil && g.Profession == "" && g.Theme == ""
	})
}

// Person is the n-th person of the seed, n from 0.
func (g *Generator) Person(n int) *Identity {
	r := rand.New(rand.NewPCG(g.Seed, uint64(n)))
	p := draw(r, g.choices())
	number := testNumber(g.Seed, n)
	i := g.civil(r, number)
	if p.Staff {
		g.staff(r, p, i, number)
	} else {
		g.professional(r, p, i, number)
	}
	return i
}

// quickID is the national id of the n-th person where it can be told without
// making them: of everybody but staff. Else it is "".
func (g *Generator) quickID(n int) string {
	if g.Profession != "" && professionOf(g.Profession) == nil ||
		g.Profession == "" && (g.Mix != nil || g.Theme != "") {
		return "" // staff may be drawn
	}
	return "8" + testRPPS(testNumber(g.Seed, n))
}

// civil is who the person is, whatever they do.
func (g *Generator) civil(r *rand.Rand, number int) *Identity {
	d := data()
	i := &Identity{
		Civility:   pick(r, []string{"M", "MME"}),
		GivenName:  pick(r, d.GivenNames),
		FamilyName: pick(r, d.Syllables) + pick(r, d.Endings),
		Behaviour:  Behaviour{Action: Approve},
		Tags:       []string{"generated"},
	}
	if g.Traps {
		trap := pick(r, d.Traps)
		i.FamilyName, i.GivenName = strings.Repeat(
			trap.Family,
			max(trap.Times, 1),
		), strings.Repeat(
			trap.Given,
			max(trap.Times, 1),
		)
	}
	i.Email = fmt.Sprintf("%s.%s.%d@exemple.invalid", letters(fold(i.GivenName)), letters(fold(i.FamilyName)), number)
	i.Mobile = fmt.Sprintf("+33639980%03d", number%1000) // 06 39 98 is reserved for fiction
	return i
}

// professional gives the person a profession, a know-how and places of work.
func (g *Generator) professional(r *rand.Rand, p profession, i *Identity, number int) {
	rpps := testRPPS(number)
	i.NationalID = "8" + rpps
	e := Exercise{
		Profession: p.Code,
		Category:   "C",
		Civility:   p.Civility,
		FamilyName: i.FamilyName,
		GivenName:  i.GivenName,
	}
	learns := p.Order != "" && r.Float64() < studentShare
	switch k := p.KnowHow; {
	case learns:
		e.Category, e.Civility = student, ""
	case k != nil && r.Float64() < k.Share:
		e.KnowHowType, e.KnowHow = k.Type, pick(r, codesWith(k.Table, k.Prefix))
	}
	places := 1 + r.IntN(10)/8 // one in five works in two places
	for n := range places {
		a := g.activity(r, p, i, rpps, n, learns)
		e.Activities = append(e.Activities, a)
	}
	i.Exercises = []Exercise{e}
}

// staff gives the person a place of work that knows them by an id of its own.
func (g *Generator) staff(r *rand.Rand, p profession, i *Identity, number int) {
	a := Activity{Mode: "S", Sector: pick(r, g.sectors(p, "S")), Country: "99000"}
	g.structure(r, &a)
	structure := "3" + a.FINESS
	if a.FINESS == "" {
		structure = "5" + a.SIRET
	}
	i.NationalID = fmt.Sprintf("%s/%sT%07d", structure, p.Code, number)
	i.Exercises = []Exercise{
		{
			Category:   "C",
			Civility:   i.Civility,
			FamilyName: i.FamilyName,
			GivenName:  i.GivenName,
			Activities: []Activity{a},
		},
	}
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

// testNumber walks the seven digits of the test range without meeting a number
// twice.
func testNumber(seed uint64, n int) int {
	const step = 3_456_791 // no common divisor with the range's size
	return 1_000_000 + int((seed%MaxGenerated+uint64(n)%MaxGenerated*step)%MaxGenerated)
}

// testRPPS is the test RPPS of this number, with its key.
func testRPPS(number int) string {
	rpps := fmt.Sprintf("997%07d", number)
	return rpps + nomenclature.LuhnKey(rpps)
}

// codesWith are the codes in force whose beginning is this prefix.
func codesWith(table, prefix string) []string {
	t, _ := nomenclature.Lookup(table)
	var out []string
	for _, c := range t.Codes {
		if strings.HasPrefix(c.Code, prefix) && c.End == "" &&
			strings.TrimLeftFunc(c.Code[len(prefix):], unicode.IsDigit) == "" {
			out = append(out, c.Code)
		}
	}
	return out
}

// sectors are those of the profession in this mode, those of the theme only
// where it has any.
func (g *Generator) sectors(p profession, mode string) []string {
	all := p.Sectors[mode]
	if theme := data().Themes[g.Theme]; theme != nil {
		if fit := slices.DeleteFunc(
			slices.Clone(all),
			func(s string) bool { return !slices.Contains(theme, s) },
		); len(
			fit,
		) > 0 {
			return fit
		}
	}
	return all
}

// activity is one place of work: a practice of one's own, or a structure that
// others of the same seed share. A student works for others.
func (g *Generator) activity(r *rand.Rand, p profession, i *Identity, rpps string, rank int, learns bool) Activity {
	mode := p.Modes[:1]
	if len(p.Modes) > 1 && r.IntN(10) < 3 {
		mode = p.Modes[1:2]
	}
	if learns && strings.Contains(p.Modes, "S") {
		mode = "S"
	}
	a := Activity{Mode: mode, Sector: pick(r, g.sectors(p, mode)), Kind: "GENR01", Country: "99000"}
	a.PharmacistSection = p.Sections[mode+" "+a.Sector]
	if roles := p.Roles[a.Sector]; len(roles) > 0 {
		a.Kind, a.Role = "", pick(r, roles)
	}
	if learns {
		a.Role, a.PharmacistSection = pick(r, p.StudentRoles), ""
	}
	if p.Order != "" {
		a.RegistrationAuthority = strings.Join([]string{p.Order, p.Order, p.Order}, "/")
		if mode == "S" {
			a.RegistrationAuthority = p.Order + "/" + p.Order + "/ARS"
		}
	}
	if mode == "L" && (a.Sector == "SA07" || a.Sector == "SA42") {
		g.practice(r, &a, i.FamilyName, rpps, rank)
	} else {
		g.structure(r, &a)
	}
	return a
}

// practice is a person's own: its former id is their RPPS-rang.
func (g *Generator) practice(r *rand.Rand, a *Activity, family, rpps string, rank int) {
	place(r, a)
	rang := fmt.Sprintf("%s%02d", rpps, rank)
	a.CorporateName = data().Structures[a.Sector] + " " + family
	a.StructureID = "R" + rpps[3:10] + fmt.Sprint(rank)
	a.FormerStructureID = "4" + rang + nomenclature.LuhnKey(rang)
}

// structure draws one of the seed's; it is the same for all who work there.
func (g *Generator) structure(r *rand.Rand, a *Activity) {
	g.structureNo(r.IntN(cmp.Or(g.Structures, 50)), a)
}

// structureNo is the at-th structure of the activity's sector.
func (g *Generator) structureNo(at int, a *Activity) {
	var sector uint64
	_, _ = fmt.Sscanf(a.Sector, "SA%d", &sector)
	own := rand.New(rand.NewPCG(g.Seed^0x5ca1ab1e, sector<<32|uint64(at)))
	place(own, a)
	siren := fmt.Sprintf("00%06d", (int(sector)*1_009+at)%1_000_000)
	siret := siren + nomenclature.LuhnKey(siren) + "0001"
	a.SIREN, a.SIRET = siret[:9], siret+nomenclature.LuhnKey(siret)
	if slices.Contains(data().BySIRET, a.Sector) {
		a.FINESS, a.StructureID, a.FormerStructureID = "", "C"+a.SIRET, "3"+a.SIRET
	} else {
		number := fmt.Sprintf("0B%06d", (int(sector)*10_007+at*101)%1_000_000)
		a.FINESS = number + nomenclature.LuhnKey(number)
		a.StructureID, a.FormerStructureID = "F"+a.FINESS, "1"+a.FINESS
	}
	a.CorporateName = fmt.Sprintf(
		"%s %s%s",
		cmp.Or(data().Structures[a.Sector], "STRUCTURE FICTIVE"),
		pick(own, data().Syllables),
		pick(own, data().Endings),
	)
}

func place(r *rand.Rand, a *Activity) {
	t := pick(r, data().Towns)
	a.StreetNumber, a.StreetType, a.StreetName = fmt.Sprint(1+r.IntN(120)), "RUE", pick(r, data().Streets)
	a.PostalCode, a.Commune, a.Department, a.Cedex = t.Postal, t.Commune, t.Department, t.Postal+" "+t.Name
}
