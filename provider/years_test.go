package provider_test

import (
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestTheProtocolHoldsInOneFiveAndFifteenYears(t *testing.T) {
	t.Parallel()
	testkit.HoldsInYears(t, 10)
}
