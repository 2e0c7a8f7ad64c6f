package identities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/testkit"
)

// written lists the people that are written while fn runs.
func written(t *testing.T, s store.Store, fn func()) (ids []string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	keys := s.Watch(ctx, identities.Collection.Prefix())
	fn()
	stop()
	for key := range keys {
		ids = append(ids, identities.Collection.ID(key))
	}
	return ids
}

func TestFollowWritesWhatChangedAndNothingElse(t *testing.T) {
	ctx := context.Background()
	s := store.NewMemory(&clock.Adjustable{})
	people := identities.New(s)
	g := &identities.Generator{Seed: 3}
	own := g.Person(1000)
	if err := people.Put(ctx, own); err != nil {
		t.Fatal(err)
	}
	equipped := 0
	follow := func(from, to int, change func(*identities.Identity)) []string {
		t.Helper()
		return written(t, s, func() {
			var files identities.Files
			defer files.Close()
			for n := from; n < to; n++ {
				i := g.Person(n)
				if change != nil {
					change(i)
				}
				if err := files.Put(i, fmt.Sprintf("file-%d.json", n%2)); err != nil {
					t.Fatal(err)
				}
			}
			err := people.Follow(
				ctx,
				&files,
				func(_ store.Tx, added []identities.Identity) error { equipped += len(added); return nil },
			)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	follow(0, 160, nil)
	if equipped != 160 {
		t.Fatalf("%d got means", equipped)
	}
	if got := follow(0, 160, nil); len(got) != 0 {
		t.Errorf("nothing changed, and %d people were written", len(got))
	}
	seventh := g.Person(7).NationalID
	if got := follow(0, 160, func(i *identities.Identity) {
		if i.NationalID == seventh {
			i.Notes = "changed"
		}
	}); len(got) != 1 || got[0] != seventh {
		t.Errorf("one changed, and %v were written", got)
	}
	follow(150, 165, nil)
	if equipped != 165 {
		t.Errorf("%d got means, want 165", equipped)
	}
	left := 0
	if err := people.Each(
		ctx,
		identities.Query{},
		"",
		func(*identities.Identity) error { left++; return nil },
	); err != nil ||
		left != 16 {
		t.Errorf("%v, %d people are there, want the 15 of the files and the one of nobody's file", err, left)
	}
	if _, err := people.Get(ctx, own.NationalID); err != nil {
		t.Error(err)
	}
}

func TestFollowThatFailsLeavesEverythingAsItWas(t *testing.T) {
	ctx := context.Background()
	s := store.NewMemory(&clock.Adjustable{})
	people := identities.New(s)
	g := &identities.Generator{Seed: 3}
	follow := func(n int, fail bool) error {
		var files identities.Files
		defer files.Close()
		for k := range n {
			if err := files.Put(g.Person(k), "a.json"); err != nil {
				t.Fatal(err)
			}
		}
		rounds := 0
		return people.Follow(ctx, &files, func(store.Tx, []identities.Identity) error {
			if rounds++; fail && rounds > 1 {
				return errors.New("no more")
			}
			return nil
		})
	}
	if err := follow(10, false); err != nil {
		t.Fatal(err)
	}
	if err := follow(400, true); err == nil {
		t.Fatal("it did not fail")
	}
	count := 0
	if err := people.Each(
		ctx,
		identities.Query{},
		"",
		func(*identities.Identity) error { count++; return nil },
	); err != nil ||
		count != 10 {
		t.Errorf("%v, %d people", err, count)
	}
	var files identities.Files
	defer files.Close()
	if err := files.Put(g.Person(0), "a.json"); err != nil {
		t.Fatal(err)
	}
	if err := files.Put(
		g.Person(0),
		"b.json",
	); !problem.Is(err, "identity-twice") ||
		!strings.Contains(err.Error(), "a.json and b.json") {
		t.Error(err)
	}
}

// Every format is read person by person, whether a person's rows stand together
// or not, and however long the text is.
func TestLongImportsAreReadWhole(t *testing.T) {
	const n = 700
	g := &identities.Generator{Seed: 8}
	each := func(fn func(*identities.Identity) error) error {
		for k := range n {
			if err := fn(g.Person(k)); err != nil {
				return err
			}
		}
		return nil
	}
	texts := map[string][]byte{}
	for _, format := range identities.Formats {
		var b bytes.Buffer
		if err := format.Write(&b, each); err != nil {
			t.Fatal(err)
		}
		texts[format.Name] = b.Bytes()
	}
	texts["a listing"] = []byte(`{"next":"","items":` + string(texts["json"]) + `,"more":{"items":[1]}}`)
	texts["a YAML listing"] = append([]byte("# people\nitems:\n"), texts["yaml"]...)
	texts["the CSV's rows in two halves"] = halves(texts["csv"])
	texts["the extraction's rows in two halves"] = halves(texts["annuaire"])
	for name, raw := range texts {
		got, err := identities.ParseImport(raw)
		if err != nil || len(got.People) != n {
			t.Errorf("%s: %v, %d people", name, err, len(got.People))
			continue
		}
		if name == "annuaire" || name == "userinfo" || strings.HasPrefix(name, "the") {
			continue // these do not hold all, or in another order
		}
		for k, i := range got.People {
			if is, want := testkit.Encoded(t, i), testkit.Encoded(t, *g.Person(k)); is != want {
				t.Fatalf("%s, person %d:\n%s\nwant\n%s", name, k, is, want)
			}
		}
	}
}

// halves puts every second row behind the others.
func halves(table []byte) []byte {
	lines := bytes.SplitAfter(bytes.TrimSuffix(table, []byte("\n")), []byte("\n"))
	out := bytes.Clone(lines[0])
	for k := 1; k < len(lines); k += 2 {
		out = append(append(out, bytes.TrimSuffix(lines[k], []byte("\n"))...), '\n')
	}
	for k := 2; k < len(lines); k += 2 {
		out = append(append(out, bytes.TrimSuffix(lines[k], []byte("\n"))...), '\n')
	}
	return out
}

// Two real people never become one fictitious one, and nobody takes the place of
// a fictitious one of the same import.
func TestRealPeopleBecomeAsManyFictitiousOnes(t *testing.T) {
	ctx := context.Background()
	people := identities.New(store.NewMemory(&clock.Adjustable{}))
	const n = 20_000 // of 8,000,000 numbers: some meet
	var b strings.Builder
	b.WriteString("national_id,family_name,given_name\n")
	for k := range n {
		rpps := fmt.Sprintf("10%08d", k)
		fmt.Fprintf(&b, "8%s%s,A,B\n", rpps, nomenclature.LuhnKey(rpps))
	}
	in, err := people.OpenImport(ctx, strings.NewReader(b.String()), true)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	seen := map[string]bool{}
	err = in.Pages(1000, func(page []identities.Kept) error {
		for _, who := range page {
			seen[who.ID] = true
		}
		return nil
	})
	if err != nil || len(seen) != n || len(in.Warnings) != n {
		t.Errorf("%v, %d numbers, %d warnings", err, len(seen), len(in.Warnings))
	}
}
