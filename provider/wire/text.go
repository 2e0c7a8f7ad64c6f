package wire

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxText is how long an error's text may be.
const maxText = 600

// spelled are characters that have no decomposition, in letters that RFC 6749
// allows.
var spelled = strings.NewReplacer(
	"œ", "oe", "Œ", "OE", "æ", "ae", "Æ", "AE", "ø", "o", "Ø", "O", "ß", "ss", "ł", "l", "Ł", "L", "đ", "d",
	"Đ", "D", "ı", "i", "‘", "'", "’", "'", "‚", "'", "‛", "'", "′", "'", "“", "'", "”", "'", "„", "'",
	"″", "'", "«\u00a0", "'", "\u00a0»", "'", "«\u202f", "'", "\u202f»", "'", "« ", "'", " »", "'", "«", "'",
	"»", "'", "‹", "'", "›", "'", "‐", "-", "‑", "-", "–", "-", "—", "-", "−", "-", "•", "*", "·", "*",
	"→", "->", "←", "<-", "≤", "<=", "≥", ">=", "≠", "!=", "×", "x", "€", "EUR",
)

// Text is the one way by which the text of an error leaves: as members of
// JSON, parameters of a redirect or a form, claims of a JWT, and in
// WWW-Authenticate. RFC 6749 §5.2 allows %x20-21, %x23-5B and %x5D-7E there;
// RFC 6750 §3 says the same. Letters lose their accents, what has no likeness
// is a question mark, and the length is bounded: part of it is input.
func Text(text string) string {
	text, cut := shortened(text, 4*maxText)
	out := strings.Map(letter, norm.NFKD.String(spelled.Replace(text)))
	if out, more := shortened(out, maxText); more || cut {
		return out + "..."
	}
	return out
}

func shortened(text string, most int) (string, bool) {
	if len(text) <= most {
		return text, false
	}
	return text[:most], true
}

// letter is a character of decomposed text as it may leave, -1 for none.
func letter(r rune) rune {
	switch {
	case unicode.Is(unicode.Mn, r): // the accent of the letter before
		return -1
	case unicode.IsSpace(r), unicode.IsControl(r):
		return ' '
	case r == '"':
		return '\''
	case r == '\\', r == '\u2044':
		return '/'
	case r < ' ' || r > '~':
		return '?'
	}
	return r
}
