package config

import (
	_ "embed" // for the French texts
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed help.fr.yaml
var frenchHelp []byte

// french is what each setting does, in French, by its name.
var french = sync.OnceValue(func() map[string]string {
	var out map[string]string
	if err := yaml.Unmarshal(frenchHelp, &out); err != nil {
		panic(err) // embedded, read by a test
	}
	return out
})

// HelpIn says in a language (fr or en) what the setting does.
func (s Setting) HelpIn(lang string) string {
	if text, ok := french()[s.Name]; ok && lang == "fr" {
		return text
	}
	return s.Help
}
