package identities

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"pscemu.invalid/pscemu/identities/nomenclature"
)

// MakeFictitious gives a person with a real number a test number and a name
// that belongs to nobody, and leaves out how to reach them; what they do and
// where stays. The same person becomes the same fictitious one each time.
func MakeFictitious(i *Identity) (warning string) {
	return disguise(i, func(string) bool { return false })
}

// disguise is MakeFictitious with another number than those that are taken.
func disguise(i *Identity, taken func(id string) bool) (warning string) {
	if CheckFictitious(i.NationalID) == nil {
		return ""
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(i.NationalID)) // never fails
	number := 1_000_000 + int(hash.Sum64()%MaxGenerated)
	rpps := testRPPS(number)
	for taken("8" + rpps) {
		_, _ = hash.Write([]byte{0})
		number = 1_000_000 + int(hash.Sum64()%MaxGenerated)
		rpps = testRPPS(number)
	}
	civil := (&Generator{}).civil(rand.New(rand.NewPCG(hash.Sum64(), 0)), number)
	family := i.FamilyName
	i.NationalID, i.FamilyName, i.GivenName = "8"+rpps, civil.FamilyName, civil.GivenName
	i.Email, i.Mobile = civil.Email, civil.Mobile
	i.Notes = "fictitious in place of a real person"
	for n := range i.Exercises {
		e := &i.Exercises[n]
		e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
		for m := range e.Activities {
			e.Activities[m].makeFictitious(rpps, m, family, i.FamilyName)
		}
	}
	return fmt.Sprintf(
		"a person with a real number became %s, %s; names, numbers and contacts were replaced, notes left out",
		i.NationalID,
		i.Name(),
	)
}

// makeFictitious takes the person out of their place of work: the practice's
// name, its former id and its telephones may be theirs.
func (a *Activity) makeFictitious(rpps string, rank int, from, to string) {
	a.Phone, a.Phone2, a.Fax, a.Mail = "", "", "", ""
	for _, name := range []*string{&a.CorporateName, &a.TradeName, &a.AddressComplement} {
		if from != "" && strings.Contains(fold(*name), fold(from)) {
			*name = "CABINET " + to
		}
	}
	if former := a.FormerStructureID; len(former) == 15 && former[0] == '4' || len(former) > 1 && former[0] == '0' {
		rang := fmt.Sprintf("%s%02d", rpps, rank%100)
		a.FormerStructureID = "4" + rang + nomenclature.LuhnKey(rang)
	}
}
