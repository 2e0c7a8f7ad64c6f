package config

import (
	_ "embed" // for the texts
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed help.en.yaml
var englishHelp []byte

//go:embed help.fr.yaml
var frenchHelp []byte

// english and french are what each setting does, by its name.
var (
	english = sync.OnceValue(func() map[string]string { return readHelp(englishHelp) })
	french  = sync.OnceValue(func() map[string]string { return readHelp(frenchHelp) })
)

func readHelp(file []byte) map[string]string {
	var out map[string]string
	if err := yaml.Unmarshal(file, &out); err != nil {
		panic(err) // embedded, read by a test
	}
	return out
}

// HelpIn says in a language (fr or en) what the setting does.
func (s Setting) HelpIn(lang string) string {
	if text, ok := french()[s.Name]; ok && lang == "fr" {
		return text
	}
	return s.Help
}
