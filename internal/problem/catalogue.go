package problem

import "sync"

//go:generate go run ./generate

// entry is a code of the catalogue.
type entry struct {
	code      Code
	area      string
	kind      Kind
	psc, spec string
	said      [2]wording // English, French
	cases     map[string]variant
}

// wording is what a refusal says in one language; means and do are the page
// that explains it, where they say more.
type wording struct{ reason, received, expected, remedy, means, do string }

// variant is a further wording of a code, whole.
type variant struct {
	kind Kind
	said [2]wording
}

var byCode = sync.OnceValue(func() map[Code]*entry {
	out := make(map[Code]*entry, len(entries))
	for i := range entries {
		out[entries[i].code] = &entries[i]
	}
	return out
})

var unknown = &entry{kind: Internal}

// entryOf finds a code; one that is not in the catalogue says nothing.
func entryOf(code Code) *entry {
	if e, ok := byCode()[code]; ok {
		return e
	}
	return unknown
}

// wording is that of a case in a language.
func (e *entry) wording(name, lang string) (wording, bool) {
	if c, ok := e.cases[name]; ok {
		return c.said[place(lang)], true
	}
	return e.said[place(lang)], e != unknown
}

// Known tells whether a code is in the catalogue.
func Known(code string) bool { return entryOf(Code(code)) != unknown }

// Codes lists the catalogue.
func Codes() []string {
	out := make([]string, len(entries))
	for i := range entries {
		out[i] = string(entries[i].code)
	}
	return out
}
