// Package docs embeds the guides, which the console shows under /guide. They
// lie in guide/LANGUAGE, a Markdown file for each task and README.md to begin.
package docs

import (
	"embed"
	"fmt"
	"strings"
	"unicode"
)

// Guides holds the folder guide.
//
//go:embed guide
var Guides embed.FS

// Anchors names the headings of one document as code hosts do, so that a link
// to a heading holds there and on the console. It is what goldmark calls IDs.
type Anchors struct{ used map[string]int }

// Generate is the anchor of the next heading: its letters and digits in lower
// case, hyphens for spaces. One that is taken gets a number.
func (a *Anchors) Generate(heading string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return '-'
		case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
	if a.used == nil {
		a.used = map[string]int{}
	}
	n := a.used[slug]
	a.used[slug]++
	if n > 0 {
		return fmt.Sprintf("%s-%d", slug, n)
	}
	return slug
}
