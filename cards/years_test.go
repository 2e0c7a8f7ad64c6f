package cards_test

import (
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestCardsHoldInOneFiveAndFifteenYears(t *testing.T) {
	t.Parallel()
	testkit.HoldsInYears(t, 1)
}
