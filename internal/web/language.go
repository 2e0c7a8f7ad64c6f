package web

import (
	"regexp"

	"github.com/labstack/echo/v4"
)

// French is the language the pages are written in; their texts are the keys of
// the other languages' messages.
const French = "fr"

// English is the other language of the pages.
const English = "en"

// Speaks tells whether there are pages in this language.
func Speaks(lang string) bool { return lang == French || lang == English }

// Choice is a person's language: ?lang= of a page, kept in a cookie, else French,
// as Pro Santé Connect speaks.
type Choice struct {
	Kept func(c echo.Context) []string     // what the cookie says
	Keep func(c echo.Context, lang string) // writes the cookie
}

// Lang is the language that this request's page is in.
func (l *Choice) Lang(c echo.Context) string {
	if lang := c.QueryParam("lang"); Speaks(lang) {
		l.Keep(c, lang)
		return lang
	}
	for _, lang := range l.Kept(c) {
		if Speaks(lang) {
			return lang
		}
	}
	return French
}

var numbers = regexp.MustCompile(`\d+`)

// Says tells whether a French text is one of the pages', which they say in
// English too.
func (p *Pages) Says(text string) bool {
	_, known := p.messages()[English][text]
	return known
}

// Translate says a French text in another language; what is not known stays
// French. Numbers in the text stand as # in the messages.
func (p *Pages) Translate(lang, text string) string {
	known := p.messages()[lang]
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
