package static

import (
	"embed"
	"encoding/json"
	"regexp"
	"sync"
)

// French is the language the pages are written in; their texts are the keys of
// the other languages' messages.
const French = "fr"

//go:embed messages_*.json
var embedded embed.FS

// messages are read at first use. The French ones say the words of the API.
var messages = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, lang := range []string{French, "en"} {
		raw, err := embedded.ReadFile("messages_" + lang + ".json")
		var said map[string]string
		if err == nil {
			err = json.Unmarshal(raw, &said)
		}
		if err != nil {
			panic(err) // embedded, checked by a test
		}
		out[lang] = said
	}
	return out
})

// Speaks tells whether there are pages in this language.
func Speaks(lang string) bool { return lang == French || lang == "en" }

var numbers = regexp.MustCompile(`\d+`)

// Translate says a French text in another language; what is not known stays
// French. Numbers in the text stand as # in the messages.
func Translate(lang, text string) string {
	known := messages()[lang]
	if said, ok := known[text]; ok {
		return said
	}
	said, ok := known[numbers.ReplaceAllString(text, "#")]
	if !ok {
		return text
	}
	values := numbers.FindAllString(text, -1)
	return regexp.MustCompile("#").ReplaceAllStringFunc(said, func(string) string {
		v := values[0]
		values = values[1:]
		return v
	})
}
