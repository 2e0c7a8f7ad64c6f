package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attacks are what must be refused. Tests are named after them: TestAttack3…,
// TestAttack3And5…. Those in by carry other names.
var attacks = []struct {
	what, source string
	by           []string
}{
	{
		"a code is used twice, also at once: the second is refused, the tokens of the first revoked",
		"RFC 6749 §4.1.2, §10.5",
		nil,
	},
	{"a code of one client is exchanged by another with its own good certificate", "RFC 6749 §4.1.3", nil},
	{"redirect_uri missing or another at the token endpoint; an expired code", "RFC 6749 §4.1.3", nil},
	{
		"redirect_uri that only looks like the registered one: case, slash, dots, encodings, user information, port, " +
			"fragment, query, control characters, schemes",
		"RFC 9700 §4.1; fosite CVE-2020-15234, -15233",
		nil,
	},
	{
		"PKCE verifier missing, wrong, malformed, or without a challenge; a downgrade",
		"RFC 7636 §4.6; RFC 9700 §4.8",
		nil,
	},
	{"codes and tokens of one issuer at another; iss in the callback", "RFC 9207", nil},
	{"alg none, HS256 with the public key, a foreign key", "RFC 8725 §2.1", nil},
	{"kid, jku, x5u, jwk and crit tricks, duplicate members, large headers", "RFC 8725 §3.10", nil},
	{
		"client certificates: none, out of time, revoked (also on an open or resumed connection), of another type, " +
			"authority, client or key, malformed",
		"RFC 8705; Keycloak CVE-2023-2422",
		[]string{"TestOnlyACertificateOfTypeORGAuthCliOfThisClientIsAccepted"},
	},
	{
		"forged headers of forwarded certificates",
		"RFC 9440 §4",
		[]string{"TestAttack20ClientAuthenticationThatIsRefused"},
	},
	{"a token bound to a certificate comes with another, or none", "RFC 8705 §3", nil},
	{"a login begun in one browser is finished in another; the back button", "OWASP: session fixation", nil},
	{"forms and calls that another site sends", "OWASP: CSRF", nil},
	{"cards that must not log in; PIN and unblocking codes that are guessed", "PSC: states of a card", nil},
	{"e-CPS: guessed numbers and codes, other people's requests, answers that come late or twice", "PSC: e-CPS", nil},
	{"asking who exists", "OWASP: enumeration", nil},
	{"refresh tokens reused, raced, of others, widened, of ended sessions and deleted people", "RFC 9700 §4.14", nil},
	{"tokens in another's place, tampered, expired", "RFC 9068 §5", nil},
	{
		"introspection and revocation without a client, of other clients' tokens",
		"RFC 7662 §4; fosite CVE-2020-15223",
		nil,
	},
	{"client authentication missing, wrong, in the URL, in two ways", "RFC 6749 §2.3", nil},
	{"CIBA: polls too fast, of others, twice, late; hints and messages that are not allowed", "CIBA Core §7, §11", nil},
	{"redirects at the logout to unregistered places", "OIDC RP-Initiated Logout §3", nil},
	{"pages in another site's frame", "OWASP: clickjacking", nil},
	{"HTML in everything that is stored or reflected; inline script", "OWASP: XSS", nil},
	{"line breaks in headers, formulas in exports", "OWASP: injection", nil},
	{"parameters that come twice, or in query and body", "RFC 6749 §3.1", nil},
	{"cookies of one host or emulator at another", "RFC 6265bis §4.1.3", nil},
	{"pages kept by caches, addresses told to others, a POST repeated", "RFC 9700 §4.2.4", nil},
	{"answers read by another site with credentials", "Fetch: CORS", nil},
	{"the control API: wrong token, foreign Host, another site", "DNS rebinding", nil},
	{"large bodies, many headers, slow clients", "RFC 9110 §15.5", nil},
	{"imports: truncated, bombs, formulas, wrong in part", "CWE-409", nil},
	{"addresses that the emulator calls: redirects, hanging and endless answers, link-local", "OWASP: SSRF", nil},
	{"the server is killed at any moment", "bbolt: durability", nil},
	{"strict leaves no door open; nothing listens off loopback", "pscemu: safety", nil},
	{"secrets in logs, metrics, error pages and readable files", "CWE-532", nil},
	{
		"a login begun by one, the card presented by another through its link, and a fresh ticket asked for; the portal's " +
			"activation likewise",
		"OWASP: session fixation; found 2026-11-25",
		nil,
	},
	{"ids and values that are too long fail a whole commit", "CWE-400; found 2026-11-25", nil},
	{
		"backups and states that are damaged in one byte, or come two at once or slowly",
		"CWE-345, CWE-362; found 2026-11-25",
		nil,
	},
	{"anonymous requests that fill the memory", "CWE-770; found 2026-11-25", nil},
	{"thousands of abandoned login pages", "CWE-645; found 2026-11-25", nil},
	{
		"the console's cookie on refusals, for other ports, worlds and users; GETs of other sites",
		"Fetch metadata; RFC 6265bis §8.5; found 2026-11-25",
		nil,
	},
	{"the same command fifty times at once", "CWE-362; found 2026-11-25", nil},
	{
		"a revoked certificate after a reset, a restore or another state; one made here that is not known",
		"RFC 5280 §3.3; found 2026-11-25",
		nil,
	},
	{"a TOTP that is used twice or guessed", "RFC 6238 §5.2; found 2026-11-25", nil},
	{"cookies of two worlds, demo, desk and spaces on one host", "RFC 6265bis §8.5; found 2026-11-25", nil},
	{"a certificate of another structure with the client's CN", "RFC 8705 §2.1; found 2026-11-25", nil},
	{
		"data folders others can read, devices among the identity files, folders that cannot be written",
		"CWE-732; found 2026-11-25",
		nil,
	},
	{"a clock beyond what dates can hold", "CWE-190; found 2026-11-25", nil},
	{"a door opened under strict by another path; people listed to a visitor", "pscemu: strict; found 2026-11-25", nil},
	{"secrets in fields with odd names", "CWE-532; found 2026-11-25", nil},
	{
		"markup, line breaks and foreign characters in pages, headers, error_description, file names, logs",
		"RFC 6749 §5.2; OWASP: injection; found 2026-11-25",
		nil,
	},
}

var attackTest = regexp.MustCompile(`(?m)^func (TestAttack(\d+)(?:And(\d+))?[A-Za-z0-9]*)\(`)

// TestTheAttackTableIsTrue writes docs/security.md anew with UPDATE=1, and
// otherwise wants it to be what the tests say.
func TestTheAttackTableIsTrue(t *testing.T) {
	sources := testSources(t)
	tests := map[string][]string{}
	for _, m := range attackTest.FindAllStringSubmatch(sources, -1) {
		tests[m[2]] = append(tests[m[2]], m[1])
		if m[3] != "" {
			tests[m[3]] = append(tests[m[3]], m[1])
		}
	}
	var page strings.Builder
	page.WriteString(
		"# What must be refused\n\nEach attack is tried against the running server by the tests named beside it; `make " +
			"security` writes this page from their names.\n\n| | attack | source | tests |\n|---|---|---|---|\n",
	)
	for n, a := range attacks {
		names := slices.Concat(tests[fmt.Sprint(n+1)], a.by)
		if len(names) == 0 {
			t.Errorf("attack %d has no test: %s", n+1, a.what)
		}
		slices.Sort(names)
		for _, name := range names {
			if !strings.Contains(sources, "func "+name+"(") {
				t.Errorf("attack %d: no test %s", n+1, name)
			}
		}
		fmt.Fprintf(&page, "| %d | %s | %s | `%s` |\n", n+1, a.what, a.source, strings.Join(names, "`, `"))
	}
	const file = "../../docs/security.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(file); err != nil || string(is) != page.String() {
		t.Errorf("docs/security.md is not what the tests say (%v): make security writes it", err)
	}
}
