package shell

import (
	"pscemu.invalid/pscemu/cards"
)

// SomeCards are some of a person's cards, and whether there are others, which
// the page of the cards has.
type SomeCards struct {
	NationalID string
	List       []cards.Card
	More       bool
}

// fewCards is how many of a person's cards a page shows among other things.
const fewCards = 20

// FewCards are the first of a person's cards.
func FewCards(nationalID string, list func(after string, limit int) ([]cards.Card, string, error)) (SomeCards, error) {
	rows, next, err := list("", fewCards)
	return SomeCards{nationalID, rows, next != ""}, err
}
