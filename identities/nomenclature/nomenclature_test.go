package nomenclature

import "testing"

func TestKeysOfKnownIdentifiers(t *testing.T) {
	for value, good := range map[string]bool{
		"99700218896": true, "99700366240": true, "99700245667": true, // RPPS
		"99700366240007": true, "99700237045007": true, // RPPS-rang
		"750712184": true, "2A0000014": true, "2B0000020": true, "0B0172805": true, // FINESS
		"18003502400041": true, "78435954900010": true, // SIRET
		"10102727017": false, "1B0062023": false, "754567860": false, "": false, "1": false, "12C4": false,
	} {
		if Luhn(value) != good {
			t.Errorf("Luhn(%q) = %v", value, !good)
		}
	}
}

func TestCodesAreKeyedByTable(t *testing.T) {
	if l := Label("G15", "10"); l != "Médecin" {
		t.Errorf("G15 10 is %q", l)
	}
	if l := Label("R02", "SA07"); l != "Cabinet individuel" {
		t.Errorf("R02 SA07 is %q", l)
	}
	if l := Label("R02", "10"); l != "" {
		t.Errorf("R02 10 is %q", l)
	}
	if l := ProfessionLabel("71"); l != "Ostéopathe" {
		t.Errorf("profession 71 is %q", l)
	}
}
