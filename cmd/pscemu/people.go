package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

func newGenerate() *cobra.Command {
	cmd := command(
		"generate",
		"Generate people behind the numbers that are taken; in an empty world the same seed gives the same people",
		0,
		runGenerate,
	)
	cmd.Flags().Int("count", 1, "how many")
	cmd.Flags().Uint64("seed", 0, "seed (a random one, which is printed, when not given)")
	cmd.Flags().Int("from", 0, "number within the seed to begin at: next of an earlier answer")
	cmd.Flags().
		String("profession", "", "code of a profession (pscemu codes G15), or staff by their card: CPE, CDE, CPA, CDA; the mix of the real population's professions when empty")
	cmd.Flags().String("theme", "", "hospital, practice, pharmacy, lab, ambulance or vendor")
	cmd.Flags().StringToInt("mix", nil, "professions, or cards of staff, and their weights, such as 10=1,60=3,CPE=2")
	cmd.Flags().
		Bool("traps", false, "names that break careless software: apostrophes, one letter, eighty, decomposed accents …")
	cmd.Flags().
		StringSlice("means", []string{"ecps", "card"}, "what they log in with: ecps, card; e-CPS code and code porteur are 1234")
	return cmd
}

// batch is how many people one call makes.
const batch = 1000

func runGenerate(cmd *cobra.Command, _ []string) error {
	count, _ := cmd.Flags().GetInt("count")
	if count < 1 {
		return usageError{fmt.Errorf("--count is %d; it must be 1 or more", count)}
	}
	if count > identities.MaxGenerated {
		return usageError{fmt.Errorf("--count is %d; a seed holds %d people", count, identities.MaxGenerated)}
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	in := generation(cmd)
	in["quiet"] = !wantsJSON(cmd) && count > 20 // nobody reads thousands of lines
	out := printerOf(cmd)
	next, _ := cmd.Flags().GetInt("from")
	made := 0
	for made < count && err == nil {
		var answer struct {
			Items       []json.RawMessage
			Count, Next int
		}
		in["count"], in["from"] = min(batch, count-made), next
		if err = r.call(http.MethodPost, "/identities/generate", in, &answer); err != nil {
			break
		}
		if count > batch {
			progress(cmd, made, made+answer.Count, count)
		}
		made, next = made+answer.Count, answer.Next
		err = out.people(answer.Items)
	}
	if err != nil && made > 0 {
		err = fmt.Errorf("%d of %d people were made, from number %d on the others were not: %w", made, count, next, err)
	}
	if err != nil && made == 0 && !out.json {
		return err
	}
	return errors.Join(out.end(made, next, in["seed"]), err)
}

// printer prints people as they are made.
type printer struct {
	cmd  *cobra.Command
	json bool
	some bool
}

func printerOf(cmd *cobra.Command) *printer { return &printer{cmd: cmd, json: wantsJSON(cmd)} }

func (p *printer) people(items []json.RawMessage) error {
	w := p.cmd.OutOrStdout()
	for _, raw := range items {
		if p.json {
			fmt.Fprintf(w, "%s%s", map[bool]string{false: `{"items":[`, true: ",\n"}[p.some], raw)
			p.some = true
			continue
		}
		var one struct {
			ID   string `json:"national_id"`
			Name string
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s  %s\n", one.ID, one.Name)
	}
	return nil
}

// end closes the list, and says how many were made and where to go on.
func (p *printer) end(made, next int, seed any) error {
	w := p.cmd.OutOrStdout()
	if !p.json {
		_, err := fmt.Fprintf(w, "%s, seed %d, next from %d\n", persons(made), seed, next)
		return err
	}
	if !p.some {
		fmt.Fprint(w, `{"items":[`)
	}
	_, err := fmt.Fprintf(w, `],"seed":%d,"next":%d}`+"\n", seed, next)
	return err
}

// persons says how many people.
func persons(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// generation is what the flags ask for, as the API takes it.
func generation(cmd *cobra.Command) map[string]any {
	f := cmd.Flags()
	seed, _ := f.GetUint64("seed")
	if !f.Changed("seed") {
		seed = uint64(rand.Uint32())
	}
	profession, _ := f.GetString("profession")
	theme, _ := f.GetString("theme")
	traps, _ := f.GetBool("traps")
	means, _ := f.GetStringSlice("means")
	in := map[string]any{"seed": seed, "profession": profession, "theme": theme, "traps": traps, "means": means}
	if mix, _ := f.GetStringToInt("mix"); len(mix) > 0 {
		in["mix"] = mix
	}
	return in
}

func newImport() *cobra.Command {
	cmd := command(
		"import FILE",
		"Import people, all of them or none: JSON, YAML or CSV, a UserInfo, an extraction of the Annuaire Santé (- for standard input)",
		1,
		runImport,
	)
	cmd.Flags().
		Bool("fictitious", false, "give people with real numbers a test number and a name that belongs to nobody")
	return cmd
}

func runImport(cmd *cobra.Command, a []string) error {
	fictitious, _ := cmd.Flags().GetBool("fictitious")
	in, err := openInput(a[0])
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/identities/import?fictitious=%t", fictitious)
	if wantsJSON(cmd) {
		return r.print(cmd, http.MethodPost, path, in)
	}
	var out struct {
		Count    int      `json:"count"`
		Warnings []string `json:"warnings"`
	}
	if err := r.work(cmd, path+"&async=true", in, &out); err != nil {
		return err
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), w)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s imported\n", persons(out.Count))
	return nil
}

func newExport() *cobra.Command {
	cmd := command("export", "Export people", 0, func(cmd *cobra.Command, _ []string) error {
		format, _ := cmd.Flags().GetString("format")
		search, _ := cmd.Flags().GetString("search")
		r, err := connect(cmd)
		if err != nil {
			return err
		}
		return r.print(
			cmd,
			http.MethodGet,
			"/identities/export?"+url.Values{"format": {format}, "q": {search}}.Encode(),
			nil,
		)
	})
	cmd.Flags().String("format", "json", "json, yaml, csv, annuaire, userinfo or fhir")
	cmd.Flags().String("search", "", "those only whose name or national id holds this")
	return cmd
}

// print prints an answer as it comes, however long it is.
func (r *remote) print(cmd *cobra.Command, method, path string, in *os.File) error {
	answer, err := r.exchange(cmd.Name(), method, path, in)
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(cmd.OutOrStdout(), answer)
	return err
}

// exchange sends a file, unless nil, and returns the answer to be read as it
// comes.
func (r *remote) exchange(command, method, path string, in *os.File) (io.ReadCloser, error) {
	var body io.Reader
	size := int64(-1) // not known, as of a pipe
	if in != nil {
		body = in
		if info, err := in.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	resp, err := r.stream(command, method, path, body, size)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// newCodes prints the code tables; it needs no running server.
func newCodes() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "codes [TABLE [SEARCH]]",
		Short: "Print the code tables, or the codes of one",
		Args:  usage(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				rows := [][]string{}
				for _, name := range nomenclature.Tables() {
					t, _ := nomenclature.Lookup(name)
					rows = append(rows, []string{name, fmt.Sprint(len(t.Codes)), t.Version, t.OID, t.Name})
				}
				return printTable(cmd, []string{"TABLE", "CODES", "VERSION", "OID", "NAME"}, rows)
			}
			t, there := nomenclature.Lookup(strings.ToUpper(a[0]))
			if !there {
				return usageError{errors.New(a[0] + " is no code table; pscemu codes lists them")}
			}
			found := t.Search(strings.Join(a[1:], " "))
			if wantsJSON(cmd) {
				return printJSON(cmd, map[string]any{"items": found})
			}
			rows := [][]string{}
			for _, c := range found {
				rows = append(rows, []string{c.Code, c.Label, c.Start, c.End})
			}
			return printTable(cmd, []string{"CODE", "LABEL", "FROM", "TO"}, rows)
		},
	}
	cmd.Flags().String("output", "text", "text or json")
	return cmd
}

// newMagic prints the people whose number decides the outcome.
func newMagic() *cobra.Command {
	return command(
		"magic",
		"Print the magic identities: people whose number decides the outcome",
		0,
		func(cmd *cobra.Command, _ []string) error {
			people := identities.MagicPeople()
			if wantsJSON(cmd) {
				return printJSON(cmd, map[string]any{"items": people})
			}
			rows := [][]string{}
			for _, m := range people {
				rows = append(rows, []string{m.NationalID, m.Name, m.Outcome})
			}
			return printTable(cmd, []string{"NATIONAL_ID", "NAME", "OUTCOME"}, rows)
		},
	)
}
