package testkit

import (
	"net/url"
)

// Asked is a person whose phone leaves the answer to the phone page.
const Asked = "899790067021"

// Card is a card as the API shows it.
type Card struct {
	Serial, Type, State, PIN, PUK, Holder string
	NationalID                            string `json:"national_id"`
}

// CardOf is a person's first card.
func (s *Server) CardOf(id string) Card {
	s.T.Helper()
	var list struct{ Items []Card }
	if s.API("GET", "/cards?national_id="+url.QueryEscape(id), "", &list); len(list.Items) == 0 {
		s.T.Fatalf("%s has no card", id)
	}
	return list.Items[0]
}

// Message is one mail or SMS of the outbox.
type Message struct{ ID, Channel, To, Code, Link string }

// Doctor is a doctor whose phone approves at once.
const Doctor = "899790011177"

// Nurse is a nurse with e-CPS and card.
const Nurse = "899790022349"

// Staff is a vendor's employee, with a CPE.
const Staff = "500000000029751/CPET00001"
