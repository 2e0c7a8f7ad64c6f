package shell

import "testing"

func TestAPageSaysHowManyOfHowManyItShows(t *testing.T) {
	for want, c := range map[string]struct {
		rows, total int
		more        bool
	}{
		"0 en tout":                      {0, 0, false},
		"12 en tout":                     {12, 12, false},
		"100 sur 345":                    {100, 345, true},
		"45 sur 345":                     {45, 345, false},
		"100 sur 1000":                   {100, 1000, true},
		"100 sur plus de 1 000":          {100, 1001, true},
		"7 sur plus de 1 000":            {7, 1001, false},
		"100 affichés, d’autres suivent": {100, -1, true},
		"7 affichés, fin de la liste":    {7, -1, false},
	} {
		if got := said(c.rows, c.total, c.more); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
