package main

import (
	"strings"
	"testing"
)

func TestHostsPrintsTheLinesToAdd(t *testing.T) {
	s := boot(t)
	out := s.cli("hosts", "--hosts", "psc.test")
	for _, want := range []string{
		"127.0.0.1 wallet.bas.psc.esante.gouv.fr auth.bas.psc.esante.gouv.fr\n",
		"127.0.0.1 wallet.esw.esante.gouv.fr auth.esw.esante.gouv.fr\n",
		"127.0.0.1 psc.test\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in %s", want, out)
		}
	}
}
