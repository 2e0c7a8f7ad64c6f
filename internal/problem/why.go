package problem

import (
	_ "embed"
	"sync"

	"github.com/goccy/go-yaml"
)

// Why explains a code to whoever meets it.
type Why struct {
	Code  string `yaml:"-" json:"code"`
	Area  string `yaml:"-" json:"area"`
	Means string `yaml:"means" json:"means"`
	Do    string `yaml:"do" json:"remedy"`
	// PSC is the key of what Pro Santé Connect answers, where that is not the code.
	PSC string `yaml:"psc" json:"psc,omitempty"`
}

//go:embed why.yaml
var whyFile []byte

// Catalogue explains every code, in the file's order.
var Catalogue = sync.OnceValue(func() []Why {
	var areas yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(whyFile, &areas, yaml.UseOrderedMap()); err != nil {
		panic(err) // embedded
	}
	var out []Why
	for _, area := range areas {
		for _, entry := range area.Value.(yaml.MapSlice) {
			w := Why{Code: entry.Key.(string), Area: area.Key.(string)}
			for _, field := range entry.Value.(yaml.MapSlice) {
				to := map[string]*string{"means": &w.Means, "do": &w.Do, "psc": &w.PSC}[field.Key.(string)]
				*to = field.Value.(string)
			}
			out = append(out, w)
		}
	}
	return out
})

// WhyOf explains one code.
func WhyOf(code string) (Why, bool) {
	for _, w := range Catalogue() {
		if w.Code == code {
			return w, true
		}
	}
	return Why{}, false
}
