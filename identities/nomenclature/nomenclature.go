// Package nomenclature holds the code tables of the health domain (ANS,
// nomenclatures des objets de santé, TRE_…) and the keys of its identifiers.
// Codes are unique only within a table.
package nomenclature

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed tables.json
var raw []byte

// Concept is one code of a table; dates are ISO 8601, "" when open.
type Concept struct {
	Code  string `json:"code"`
	Label string `json:"label"`
	Start string `json:"start"`
	End   string `json:"end"`
}

// UnmarshalJSON reads the compact row [code, label, start, end].
func (c *Concept) UnmarshalJSON(b []byte) error {
	var row [4]string
	if err := json.Unmarshal(b, &row); err != nil {
		return err
	}
	*c = Concept{row[0], row[1], row[2], row[3]}
	return nil
}

// Table is one nomenclature, such as G15 (professions de santé).
type Table struct {
	ID      string    `json:"id"`
	OID     string    `json:"oid"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Codes   []Concept `json:"codes"`
}

// tables are read at first use: a login needs none of them.
var tables = sync.OnceValue(func() map[string]Table {
	var t map[string]Table
	if err := json.Unmarshal(raw, &t); err != nil {
		panic(err) // embedded, checked by a test
	}
	return t
})

// Lookup finds a table by its short name (G15, R02, …).
func Lookup(table string) (Table, bool) {
	t, ok := tables()[table]
	return t, ok
}

// Tables lists the tables by their short names, in order.
func Tables() []string { return slices.Sorted(maps.Keys(tables())) }

// Search finds the codes of a table whose code or label holds the words, case
// aside; "" finds all.
func (t Table) Search(words string) []Concept {
	out, words := []Concept{}, strings.ToLower(words)
	for _, c := range t.Codes {
		if strings.Contains(strings.ToLower(c.Code+" "+c.Label), words) {
			out = append(out, c)
		}
	}
	return out
}

// Label is the French label of a code, "" when the table does not hold it.
func Label(table, code string) string {
	for _, c := range tables()[table].Codes {
		if c.Code == code {
			return c.Label
		}
	}
	return ""
}

// ProfessionTables hold profession codes; G15 goes first.
var ProfessionTables = []string{"G15", "R95", "R94", "R291"}

// ProfessionLabel names a profession whichever table it is of.
func ProfessionLabel(code string) string {
	for _, t := range ProfessionTables {
		if l := Label(t, code); l != "" {
			return l
		}
	}
	return ""
}

// Luhn checks a number's last digit. In FINESS numbers A counts as 1, B as 2.
func Luhn(s string) bool {
	return len(s) > 1 && s[:len(s)-1]+LuhnKey(s[:len(s)-1]) == s
}

// LuhnKey is the digit to write behind s, "" when s holds anything but digits,
// A and B.
func LuhnKey(s string) string {
	sum := 0
	for i := range len(s) {
		c := s[len(s)-1-i]
		d := strings.IndexByte("0123456789", c)
		if d < 0 {
			if d = strings.IndexByte(" AB", c); d < 1 {
				return ""
			}
		}
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return string(rune('0' + (10-sum%10)%10))
}
