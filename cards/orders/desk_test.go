package orders

import (
	"slices"
	"testing"
)

// The data names only what the engine has: a new form needs no code, and a
// slip of the pen in one is found here.
func TestTheDesksDataNamesWhatThereIs(t *testing.T) {
	if len(table().Forms) != 11 || len(table().Actors) != 5 {
		t.Errorf("%d forms, %d actors", len(table().Forms), len(table().Actors))
	}
	for _, f := range table().Forms {
		names := map[string]bool{}
		for _, field := range f.Fields {
			free := slices.Contains([]string{"text", "identity", "identities", "card"}, field.Kind)
			if names[field.Name] || field.Label == "" || !free && kinds[field.Kind] == nil && len(field.Choices) == 0 {
				t.Errorf("%s: field %+v", f.No, field)
			}
			names[field.Name] = true
		}
		for _, n := range f.Needs {
			if checks[n.Check] == nil || n.Say == "" && said[n.Check] == "" {
				t.Errorf("%s: need %+v", f.No, n)
			}
		}
		for _, e := range f.Effects {
			if effects[e.Do] == nil || e.At != "" && e.At != "submit" {
				t.Errorf("%s: effect %+v", f.No, e)
			}
		}
		if !slices.Contains([]string{"oui", "en cours", "non"}, f.Simplified) || f.Name == "" {
			t.Errorf("%s: %+v", f.No, f)
		}
	}
	for _, a := range table().Actors {
		for _, no := range a.Forms {
			if _, err := FormNamed(no); err != nil {
				t.Errorf("%s: %v", a.ID, err)
			}
		}
	}
	for _, s := range table().Services {
		for _, no := range s.Forms {
			if _, err := FormNamed(no); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
}

func FuzzFields(f *testing.F) {
	for _, seed := range []string{"", "00000001815646", "0B0172805", "a@b", "2026-11-24", "AUTH_CLI", "\x00", "oui"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, form := range table().Forms {
			for n := range form.Fields {
				_ = form.Fields[n].check(value) // no value makes it fail otherwise than by saying no
			}
		}
	})
}
