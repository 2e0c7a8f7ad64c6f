package ecps_test

import (
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestPhonesHoldInOneFiveAndFifteenYears(t *testing.T) {
	t.Parallel()
	testkit.HoldsInYears(t, 2)
}
