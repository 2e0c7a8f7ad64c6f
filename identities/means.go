package identities

// Means is a moyen d'identification électronique: what a person logs in with.
type Means string

// The means; the last two are ways of the test tools and appear in the journal.
const (
	MeansECPS Means = "ecps" // the phone
	MeansCard Means = "card" // a CPx card
	MeansTOTP Means = "totp" // a one-time password of the e-CPS
	MeansTest Means = "test" // a test identity, chosen on the login page
)

// AllMeans lists the means that people are given.
func AllMeans() []Means { return []Means{MeansECPS, MeansCard} }

// Valid tells whether people are given this means.
func (m Means) Valid() bool { return m == MeansECPS || m == MeansCard }

// AuthMode is the means as PSC's claims name it.
func (m Means) AuthMode() AuthMode {
	if m == MeansCard {
		return AuthModeCard
	}
	return AuthModeMobile
}

// AuthMode is the means of a login as PSC's claim authMode and CIBA's channel
// name it.
type AuthMode string

// The values of authMode.
const (
	AuthModeMobile AuthMode = "MOBILE" // the e-CPS
	AuthModeCard   AuthMode = "CARD"   // a CPx card
)
