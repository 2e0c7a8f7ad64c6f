package provider

import (
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/unicode/norm"
)

// maxWireText is how long an error's text may be.
const maxWireText = 600

// spelled are characters that have no decomposition, in letters that RFC 6749
// allows.
var spelled = strings.NewReplacer(
	"œ",
	"oe",
	"Œ",
	"OE",
	"æ",
	"ae",
	"Æ",
	"AE",
	"ø",
	"o",
	"Ø",
	"O",
	"ß",
	"ss",
	"ł",
	"l",
	"Ł",
	"L",
	"đ",
	"d",
	"Đ",
	"D",
	"ı",
	"i",
	"‘",
	"'",
	"’",
	"'",
	"‚",
	"'",
	"‛",
	"'",
	"′",
	"'",
	"“",
	"'",
	"”",
	"'",
	"„",
	"'",
	"″",
	"'",
	"«\u00a0",
	"'",
	"\u00a0»",
	"'",
	"«\u202f",
	"'",
	"\u202f»",
	"'",
	"« ",
	"'",
	" »",
	"'",
	"«",
	"'",
	"»",
	"'",
	"‹",
	"'",
	"›",
	"'",
	"‐",
	"-",
	"‑",
	"-",
	"–",
	"-",
	"—",
	"-",
	"−",
	"-",
	"•",
	"*",
	"·",
	"*",
	"→",
	"->",
	"←",
	"<-",
	"≤",
	"<=",
	"≥",
	">=",
	"≠",
	"!=",
	"×",
	"x",
	"€",
	"EUR",
)

// wireText is the one way by which the text of an error leaves: as members of
// JSON, parameters of a redirect or a form, claims of a JWT, and in
// WWW-Authenticate. RFC 6749 §5.2 allows %x20-21, %x23-5B and %x5D-7E there;
// RFC 6750 §3 says the same. Letters lose their accents, what has no likeness
// is a question mark, and the length is bounded: part of it is input.
func wireText(text string) string {
	text, cut := shortened(text, 4*maxWireText)
	out := strings.Map(wireRune, norm.NFKD.String(spelled.Replace(text)))
	if out, more := shortened(out, maxWireText); more || cut {
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

// wireRune is a character of decomposed text as it may leave, -1 for none.
func wireRune(r rune) rune {
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

// oauthJSON writes an error as RFC 6749 §5.2 has it; the text may be empty.
func oauthJSON(c echo.Context, status int, code, text string) error {
	return c.JSON(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{wireText(code), wireText(text)})
}

// bearerChallenge is a WWW-Authenticate header (RFC 6750 §3).
func bearerChallenge(code, text string) string {
	if code == "" {
		return `Bearer realm="esante-wallet"`
	}
	return `Bearer realm="esante-wallet", error="` + wireText(code) + `", error_description="` + wireText(text) + `"`
}

// errorParams are the parameters of a response that hold an error's text.
var errorParams = map[string]bool{"error": true, "error_description": true}

// spelt gives the texts of errors among the parameters their form.
func (p pairs) spelt() pairs {
	out := make(pairs, len(p))
	for i, kv := range p {
		if errorParams[kv[0]] {
			kv[1] = wireText(kv[1])
		}
		out[i] = kv
	}
	return out
}
