// Package conformance checks a running emulator from the outside, as a relying
// party and a browser would: each check is named after the module of the OpenID
// Foundation's conformance suite that it reproduces.
package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pscemu.invalid/pscemu/internal/api"
)

// Verdict is the outcome of one check.
type Verdict string

// The verdicts. A warning is what the suite only warns about.
const (
	Passed        Verdict = "passed"
	Warned        Verdict = "warning"
	NotApplicable Verdict = "not applicable"
	Failed        Verdict = "FAILED"
)

// Result is one line of the table.
type Result struct {
	Plan    string  `json:"plan"`
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Note    string  `json:"note,omitempty"`
}

// Client is one of the two relying parties, with its certificate.
type Client struct {
	ID, Secret, RedirectURI, PostLogoutURI string
	Certificate                            tls.Certificate
}

// Target is the emulator under test and the means to drive it: the tester's hand
// goes through the control API.
type Target struct {
	Issuer string
	Roots  *x509.CertPool
	A, B   Client
	// Person is a national id with e-CPS and card.
	Person, CardSerial, PIN string
	API                     *api.ClientWithResponses
}

// check is one module of a plan.
type check struct {
	name string
	// skip says why the module does not apply, "" when it does.
	skip string
	run  func(*relyingParty)
}

type plan struct {
	name   string
	checks []check
}

// Run makes every check and reports each as soon as it is known.
func Run(t *Target, report func(Result)) {
	for _, p := range []plan{basic, config, rpLogout, channelLogout, ciba, fapi} {
		for _, c := range p.checks {
			r := Result{Plan: p.name, Name: c.name, Verdict: NotApplicable, Note: c.skip}
			if c.skip == "" {
				r.Verdict, r.Note = t.try(c)
			}
			report(r)
		}
	}
}

// outcome ends a check early.
type outcome struct {
	verdict Verdict
	note    string
}

func (t *Target) try(c check) (v Verdict, note string) {
	rp := newRelyingParty(t, t.A)
	defer rp.close()
	defer func() {
		if r := recover(); r != nil {
			o, ok := r.(outcome)
			if !ok {
				panic(r)
			}
			v, note = o.verdict, o.note
		}
	}()
	rp.must(t.answer("approve"))
	c.run(rp)
	return Passed, ""
}

// Print writes the table.
func Print(w io.Writer, results []Result) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	count := map[Verdict]int{}
	last := ""
	for _, r := range results {
		if r.Plan != last {
			fmt.Fprintf(tw, "%s\n", r.Plan)
			last = r.Plan
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", r.Name, r.Verdict, strings.ReplaceAll(r.Note, "\n", " "))
		count[r.Verdict]++
	}
	_ = tw.Flush()
	fmt.Fprintf(
		w,
		"%d checks: %d passed, %d warnings, %d not applicable, %d failed\n",
		len(results),
		count[Passed],
		count[Warned],
		count[NotApplicable],
		count[Failed],
	)
}
