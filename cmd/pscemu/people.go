package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/api"
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
		String("profession", "", "code of a profession (pscemu codes G15), or staff by their card: CPE, CDE, CPA, CDA; "+
			"the mix of the real population's professions when empty")
	cmd.Flags().String("theme", "", "hospital, practice, pharmacy, lab, ambulance or vendor")
	cmd.Flags().StringToInt("mix", nil, "professions, or cards of staff, and their weights, such as 10=1,60=3,CPE=2")
	cmd.Flags().
		Bool("traps", false, "names that break careless software: apostrophes, one letter, eighty, decomposed accents …")
	cmd.Flags().
		StringSlice("means", []string{"ecps", "card"},
			"what they log in with: ecps, card; e-CPS code and code porteur are 1234")
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
	in, err := generation(cmd)
	if err != nil {
		return err
	}
	in.Quiet = !wantsJSON(cmd) && count > 20 // nobody reads thousands of lines
	out := printerOf(cmd)
	next, _ := cmd.Flags().GetInt("from")
	made := 0
	for made < count && err == nil {
		var answer struct {
			Items       []json.RawMessage
			Count, Next int
		}
		in.Count, in.From = min(batch, count-made), next
		var said *api.GenerateIdentitiesResponse
		said, err = r.api.GenerateIdentitiesWithResponse(cmd.Context(), in)
		if err = r.done(said, err); err != nil {
			break
		}
		if err = json.Unmarshal(said.Body, &answer); err != nil {
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
	return errors.Join(out.end(made, next, in.Seed), err)
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

// generation is what the flags ask for.
func generation(cmd *cobra.Command) (in api.GenerationInput, err error) {
	f := cmd.Flags()
	seed, _ := f.GetUint64("seed")
	if !f.Changed("seed") {
		seed = uint64(rand.Uint32())
	}
	if seed > math.MaxInt64 {
		return in, usageError{fmt.Errorf("--seed is %d; it must be %d or less", seed, int64(math.MaxInt64))}
	}
	in.Seed = int64(seed)
	in.Profession, _ = f.GetString("profession")
	in.Theme, _ = f.GetString("theme")
	in.Traps, _ = f.GetBool("traps")
	in.Mix, _ = f.GetStringToInt("mix")
	means, _ := f.GetStringSlice("means")
	for _, m := range means {
		in.Means = append(in.Means, api.Means(m))
	}
	return in, nil
}

func newImport() *cobra.Command {
	cmd := command(
		"import FILE",
		"Import people, all of them or none: JSON, YAML or CSV, a UserInfo, an extraction of the Annuaire Santé "+
			"(- for standard input)",
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
	send := func(async bool) (*http.Response, error) {
		how := &api.ImportIdentitiesParams{Fictitious: fictitious, Async: async}
		return r.long.ImportIdentitiesWithBody(cmd.Context(), how, "application/octet-stream", in, sized(sizeOf(in)))
	}
	if wantsJSON(cmd) {
		return r.print(cmd)(send(false))
	}
	var out struct {
		Count    int      `json:"count"`
		Warnings []string `json:"warnings"`
	}
	job, err := r.stream(send(true))
	if err != nil {
		return err
	}
	if err := r.work(cmd, job, &out); err != nil {
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
		return r.print(cmd)(r.long.ExportIdentities(cmd.Context(),
			&api.ExportIdentitiesParams{Format: format, Q: search}))
	})
	cmd.Flags().String("format", "json", "json, yaml, csv, annuaire, userinfo or fhir")
	cmd.Flags().String("search", "", "those only whose name or national id holds this")
	return cmd
}

// print prints an answer as it comes, however long it is.
func (r *remote) print(cmd *cobra.Command) func(resp *http.Response, err error) error {
	return func(resp *http.Response, err error) error {
		if resp, err = r.stream(resp, err); err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(cmd.OutOrStdout(), resp.Body)
		return err
	}
}

// sizeOf is how much a file holds, -1 when that is not known, as of a pipe.
func sizeOf(in *os.File) int64 {
	if info, err := in.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return -1
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
