package api

import (
	"fmt"
	"strings"

	"pscemu.invalid/pscemu/identities"
)

// Ready is all that a client or a test needs to use an emulator: ready.json,
// the line of `serve --output json`, and the answer to making a space.
type Ready struct {
	Version    string       `json:"version"`
	PID        int          `json:"pid"`
	BaseURL    string       `json:"base_url"`
	Listen     string       `json:"listen"` // address in use, whatever base_url says
	Issuer     string       `json:"issuer"`
	Discovery  string       `json:"discovery"`
	CardURL    string       `json:"card_url"`
	ConsoleURL string       `json:"console_url"`
	OpenURL    string       `json:"open_url"` // opens the console, once; then ready.json holds the next
	APIURL     string       `json:"api_url"`
	APIToken   string       `json:"api_token"`
	CAFile     string       `json:"ca_file,omitempty"`
	CA         string       `json:"ca,omitempty"` // PEM; where no file holds it
	DemoClient DemoClient   `json:"demo_client"`
	Personas   []PersonaRow `json:"personas"`
}

// WithoutKeys is what a browser may see that was let in without the API token:
// not the token, nor the link that lets another browser in.
func (r Ready) WithoutKeys() Ready {
	r.APIToken, r.OpenURL = "", ""
	return r
}

// DemoClient is all a client library needs to log in: files, or the PEM texts
// where there are none.
type DemoClient struct {
	ClientID        string   `json:"client_id"`
	ClientSecret    string   `json:"client_secret"`
	CertificateFile string   `json:"certificate_file,omitempty"`
	KeyFile         string   `json:"key_file,omitempty"`
	P12File         string   `json:"p12_file,omitempty"`
	Certificate     string   `json:"certificate,omitempty"`
	Key             string   `json:"key,omitempty"`
	RedirectURIs    []string `json:"redirect_uris"`
}

// PersonaRow is one ready-made person.
type PersonaRow struct {
	NationalID string             `json:"national_id"`
	Name       string             `json:"name"`
	Means      []identities.Means `json:"means"`
	Behaviour  identities.Action  `json:"behaviour"`
}

// means lists what the person logs in with.
func (p *PersonaRow) means() string {
	var all []string
	for _, m := range p.Means {
		all = append(all, string(m))
	}
	return strings.Join(all, ", ")
}

// Text is the announcement for a person.
func (r *Ready) Text() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	p("pscemu %s — Pro Santé Connect, émulé sur cette machine", r.Version)
	p("ÉMULATEUR — identités fictives")
	p("")
	p("  Settings for your application")
	p("    discovery       %s", r.Discovery)
	p("    issuer          %s", r.Issuer)
	p("    client_id       %s", r.DemoClient.ClientID)
	p("    client_secret   %s", r.DemoClient.ClientSecret)
	p("    certificate     %s", r.DemoClient.CertificateFile)
	p("    key             %s", r.DemoClient.KeyFile)
	p("    server CA       %s", r.CAFile)
	p("    redirect_uri    any port and path on http://localhost or http://127.0.0.1")
	p("")
	p("  People to log in with")
	for i, persona := range r.Personas {
		if i == 3 {
			break
		}
		p("    %-26s %-28s %s", persona.NationalID, persona.Name, persona.means())
	}
	p("")
	p("  Console           %s", r.ConsoleURL)
	p("  Open it           %s", r.OpenURL)
	p("                    (once; the next link is open_url of ready.json)")
	p("  Try it            %s/demo", r.ConsoleURL)
	return b.String()
}
