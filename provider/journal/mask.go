package journal

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// A secret is known by what it is: by its form (a JWT, a code, a key), by its
// value, when the same login shows elsewhere that it is one, and by the name of
// what holds it. No one of these is enough: people misspell names, and a client
// secret may look like any word.

// secretNames are whole names of secrets, secretWords are parts of names.
// plainEnds make a name tell about a secret without holding it.
var (
	secretNames = []string{
		"code",
		"authcode",
		"pin",
		"codepin",
		"codeporteur",
		"puk",
		"totp",
		"otp",
		"sms",
		"pwd",
		"pass",
		"request",
		"response",
		"jwt",
		"jws",
		"jwe",
		"bearer",
		"jeton",
		"secret",
		"authreqid",
		"sessionid",
		"link",
	}
	secretWords = []string{
		"token",
		"secret",
		"password",
		"passwd",
		"passphrase",
		"motdepasse",
		"assertion",
		"authorization",
		"verifier",
		"cookie",
		"ticket",
		"credential",
		"privatekey",
		"apikey",
		"idtokenhint",
	}
	plainEnds = []string{
		"type",
		"typehint",
		"lifetime",
		"expiresin",
		"expiresat",
		"authmethod",
		"authmethods",
		"alg",
		"enc",
		"supported",
		"endpoint",
		"uri",
		"url",
	}
)

// isSecret tells by a name, however it is spelt: Refresh_Token, "token ",
// access-token, accessToken.
func isSecret(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if slices.Contains(secretNames, name) {
		return true
	}
	in := func(word string) bool { return strings.Contains(name, word) }
	ends := func(word string) bool { return strings.HasSuffix(name, word) }
	return slices.ContainsFunc(secretWords, in) && !slices.ContainsFunc(plainEnds, ends)
}

// Mask shows what a secret was without giving it away: a JWT without its
// signature, of anything else a few characters, and the scheme before it.
func Mask(value string) string {
	prefix := ""
	if m := schemeBefore.FindString(value); m != "" {
		prefix, value = m, value[len(m):]
	}
	parts := strings.Split(value, ".")
	switch {
	case value == "":
		return prefix
	case beginsJWT.MatchString(value) && len(parts) == 3:
		return prefix + parts[0] + "." + parts[1] + ".…"
	case beginsJWT.MatchString(value) && len(parts) == 5:
		return prefix + parts[0] + ".…"
	case len(value) > 20 && !strings.EqualFold(prefix, "Basic "):
		return prefix + firsts(value, 6) + "…"
	}
	return prefix + "…"
}

// firsts are the first n characters.
func firsts(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// MaskText masks the secrets within a text that can be known by their form.
func MaskText(s string) string { return (*masker)(nil).text(s) }
