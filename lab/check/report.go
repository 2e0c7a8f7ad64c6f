package check

import (
	"embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/faults"
)

// Report is a check with all it found.
type Report struct {
	Application string    `json:"application"`
	At          time.Time `json:"at"`
	Version     string    `json:"version"`
	Findings    []Finding `json:"findings"`
}

// Count tells how many findings have this verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Failed are the failures, the gravest first.
func (r *Report) Failed() []Finding {
	var out []Finding
	for _, severity := range faults.Severities {
		for _, f := range r.Findings {
			if f.Verdict == Failed && f.Severity == severity {
				out = append(out, f)
			}
		}
	}
	return out
}

// Worse tells whether anything failed that is at least so grave.
func (r *Report) Worse(severity string) bool {
	limit := slices.Index(faults.Severities, severity)
	return slices.ContainsFunc(
		r.Failed(),
		func(f Finding) bool { return slices.Index(faults.Severities, f.Severity) <= limit },
	)
}

// Formats are the forms a report is written in, by name.
var Formats = map[string]func(io.Writer, *Report) error{
	"json":  writeJSON,
	"html":  writeHTML,
	"junit": writeJUnit,
	"sarif": writeSARIF,
}

// FormatOf finds the form that a file's name asks for.
func FormatOf(file string) (func(io.Writer, *Report) error, error) {
	for ending, name := range map[string]string{".json": "json", ".html": "html", ".xml": "junit", ".sarif": "sarif"} {
		if strings.HasSuffix(file, ending) {
			return Formats[name], nil
		}
	}
	return nil, problem.CheckReport.Got(file)
}

func writeJSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

//go:embed report.html
var pages embed.FS

func writeHTML(w io.Writer, r *Report) error {
	t, err := template.New("report.html").ParseFS(pages, "report.html")
	if err != nil {
		return err
	}
	return t.Execute(
		w,
		map[string]any{
			"Report": r,
			"Failed": r.Failed(),
			"Passed": r.Count(Passed),
			"NA":     r.Count(NotApplicable),
			"All":    len(r.Findings),
		},
	)
}

type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"timestamp,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, r *Report) error {
	s := junitSuite{
		Name:     "pscemu check " + r.Application,
		Tests:    len(r.Findings),
		Failures: r.Count(Failed),
		Skipped:  r.Count(NotApplicable),
		Time:     r.At.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, f := range r.Findings {
		c := junitCase{Class: "pscemu." + f.Severity, Name: f.ID + ": " + f.Title}
		switch f.Verdict {
		case Failed:
			c.Failure = &junitMessage{
				f.What,
				fmt.Sprintf("%s\nrequirement: %s\nfix: %s\njournal: %s", f.What, f.Source, f.Fix, f.Journal),
			}
		case NotApplicable:
			c.Skipped = &junitMessage{Message: f.What}
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	return e.Encode(s)
}

// levels are SARIF's words for severities.
var levels = map[string]string{"critical": "error", "high": "error", "medium": "warning", "low": "note"}

// writeSARIF writes SARIF 2.1.0; every scenario is a rule, every failure a
// result at the application's address.
func writeSARIF(w io.Writer, r *Report) error {
	rules, results := []any{}, []any{}
	for _, f := range r.Findings {
		text := func(s string) any { return map[string]string{"text": s} }
		rules = append(
			rules,
			map[string]any{
				"id":                   f.ID,
				"shortDescription":     text(f.Title),
				"help":                 text(f.Fix + " (" + f.Source + ")"),
				"defaultConfiguration": map[string]string{"level": levels[f.Severity]},
				"properties":           map[string]any{"severity": f.Severity},
			},
		)
		if f.Verdict == Failed {
			results = append(
				results,
				map[string]any{
					"ruleId":  f.ID,
					"level":   levels[f.Severity],
					"message": text(f.Title + ": " + f.What + ". " + f.Fix + "."),
					"locations": []any{
						map[string]any{
							"physicalLocation": map[string]any{
								"artifactLocation": map[string]string{"uri": r.Application},
							},
						},
					},
				},
			)
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{
			map[string]any{
				"tool": map[string]any{
					"driver": map[string]any{
						"name":           "pscemu check",
						"version":        r.Version,
						"informationUri": "https://datatracker.ietf.org/doc/html/rfc9700",
						"rules":          rules,
					},
				},
				"results": results,
			},
		},
	})
}

// Print writes the verdict for a terminal.
func Print(w io.Writer, r *Report) {
	for _, f := range r.Failed() {
		fmt.Fprintf(
			w,
			"✗ %-8s %s — %s\n           %s\n           requirement: %s\n           fix: %s\n",
			f.Severity,
			f.ID,
			f.Title,
			f.What,
			f.Source,
			f.Fix,
		)
		if f.Journal != "" {
			fmt.Fprintf(w, "           journal: %s\n", f.Journal)
		}
	}
	fmt.Fprintf(
		w,
		"%d scenarios: %d passed, %d failed, %d not applicable\n",
		len(r.Findings),
		r.Count(Passed),
		r.Count(Failed),
		r.Count(NotApplicable),
	)
}
