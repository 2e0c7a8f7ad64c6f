package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// Years are times in which the emulator has to work as it does today.
var Years = map[string]string{"one year": "8760h", "five years": "43800h", "fifteen years": "131400h"}

// inYearsToo is the part of the tests that runs there too: the protocol and what
// must be refused. Much of the rest sets the clock itself, or asks programs that
// keep the machine's time.
const inYearsToo = `^(TestAnIndependentClient.*|TestTokensAndUserInfo.*|TestAttack[12679][A-Z].*|` +
	`TestAttack(10|11|12|13|14|16|20|21And)[A-Z0-9].*)$`

// HoldsInYears runs the package's tests of the protocol and of what must be
// refused again, on a clock that is years ahead; so many at least have to pass.
func HoldsInYears(t *testing.T, least int) {
	t.Helper()
	if os.Getenv(offset) != "" {
		t.Skip("this is such a run")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, by := range Years {
		if testing.Short() && name != "fifteen years" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self, "-test.run", inYearsToo, "-test.count=1", "-test.v")
			cmd.Env = append(os.Environ(), offset+"="+by)
			out, err := cmd.CombinedOutput()
			if passed := bytes.Count(out, []byte("\n--- PASS: Test")); err != nil || passed < least {
				t.Errorf("%v, %d tests passed:\n%s", err, passed, out)
			}
		})
	}
}
