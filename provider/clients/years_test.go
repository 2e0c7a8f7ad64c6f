package clients_test

import (
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestCertificatesOfClientsHoldInOneFiveAndFifteenYears(t *testing.T) {
	t.Parallel()
	testkit.HoldsInYears(t, 2)
}
