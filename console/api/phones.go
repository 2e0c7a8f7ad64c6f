package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
)

// Phones are people's e-CPS and the requests that wait on them.
type Phones struct {
	ECPS    *ecps.Phones
	People  *identities.People
	Cards   *cards.Cards
	Closing <-chan struct{} // streams end with it
}

// Phone is a person's e-CPS as the API shows it.
type Phone struct {
	*ecps.Device
	// Blocked tells whether three wrong codes in a row have blocked it.
	Blocked bool `json:"blocked"`
	// Former are the devices before, newest first.
	Former []ecps.Device `json:"former"`
	// Next is how the coming requests are answered.
	Next []identities.Behaviour `json:"next"`
}

// ActivationRequest asks for an e-CPS: at once, or as on the portal.
type ActivationRequest struct {
	// Code is the e-CPS code of four digits; 1234 when it is left out.
	Code string `json:"code,omitempty"`
	// By begins an activation as the portal does: card or contact.
	By ecps.Way `json:"by,omitempty"`
	// Card is the serial of the card that is presented.
	Card string `json:"card,omitempty"`
	// PIN is the code of that card.
	PIN string `json:"pin,omitempty"`
}

// ActivationBegun is an activation that the phone has yet to complete.
type ActivationBegun struct {
	ID string `json:"id"`
	// By is card or contact.
	By ecps.Way `json:"by"`
	// QR is what the QR code holds.
	QR        string    `json:"qr"`
	ExpiresAt time.Time `json:"expires_at"`
}

// BehaviourOrder says how a phone answers.
type BehaviourOrder struct {
	// Action is what the phone does with a request.
	Action identities.Action `json:"action" required:"true"`
	// After is how long it waits before, such as 5s.
	After string `json:"after"`
	// Next has it do so with the next request only.
	Next bool `json:"next"`
}

// Approval is how a request is approved: as the phone would, by a one-time
// password, or, with nothing, with authority.
type Approval struct {
	// Code is the e-CPS code.
	Code string `json:"code,omitempty"`
	// Number is the one that the login page shows.
	Number string `json:"number,omitempty"`
	// TOTP is a one-time password, in the place of code and number.
	TOTP string `json:"totp,omitempty"`
	// Signature is the phone's, base64, of a phone that holds its key.
	Signature string `json:"signature,omitempty"`
}

// RequestID names a login that waits.
type RequestID struct {
	// ID of the request.
	ID string `path:"id"`
}

type activatePhone struct {
	WhoseID
	Body ActivationRequest `body:"application/json,optional"`
}

func (in *activatePhone) defaults() { in.Body.Code = cards.DefaultPIN }

type removePhone struct {
	WhoseID
	// Why is deleted or lost; deleted when it is left out.
	Why string `query:"why"`
}

type setBehaviour struct {
	WhoseID
	Body BehaviourOrder `body:"application/json"`
}

type completeActivation struct {
	Body ecps.Completion `body:"application/json"`
}

type listRequests struct {
	// NationalID is whose requests are listed; everybody's when it is left out.
	NationalID string `query:"national_id"`
	// All lists the settled ones too.
	All bool `query:"all"`
	Paging
}

func (in *listRequests) filter(means identities.Means) ecps.Filter {
	return ecps.Filter{NationalID: in.NationalID, Means: means, PendingOnly: !in.All}
}

type streamRequests struct {
	// NationalID is whose requests are told of; everybody's when it is left out.
	NationalID string `query:"national_id"`
}

type approveRequest struct {
	RequestID
	Body Approval `body:"application/json,optional"`
}

func (s *Phones) get(c context.Context, in *WhoseID) (*Phone, error) {
	d, err := s.ECPS.Device(c, in.ID)
	if err != nil {
		return nil, err
	}
	former, err := s.ECPS.Former(c, in.ID)
	if err != nil {
		return nil, err
	}
	next, err := s.ECPS.Prepared(c, in.ID)
	return &Phone{d, d.Blocked(), former, next}, err
}

// activate gives an e-CPS at once, or begins an activation as the portal does:
// by card (which is presented) or by contact details.
func (s *Phones) activate(c context.Context, in *activatePhone) (any, error) {
	switch in.Body.By {
	case "":
		return s.ECPS.Activate(c, in.ID, in.Body.Code)
	case ecps.ByCard:
		card, err := s.Cards.PresentPIN(c, in.Body.Card, in.Body.PIN)
		if err != nil {
			return nil, err
		}
		if card.NationalID != in.ID {
			return nil, problem.CardOtherPerson.With("id", in.ID).Got(card.NationalID)
		}
	}
	a, err := s.ECPS.StartActivation(c, in.ID, in.Body.By)
	if err != nil {
		return nil, err
	}
	return ActivationBegun{a.ID, a.By, a.QR, a.ExpiresAt}, nil
}

func (s *Phones) remove(c context.Context, in *removePhone) (Nothing, error) {
	return Nothing{}, s.ECPS.Remove(c, in.ID, in.Why)
}

func (s *Phones) complete(c context.Context, in *completeActivation) (*ecps.Device, error) {
	return s.ECPS.Complete(c, in.Body)
}

func (s *Phones) totp(c context.Context, in *WhoseID) (*ecps.Password, error) {
	return s.ECPS.CurrentTOTP(c, in.ID)
}

// behaviour sets how the phone answers, always or — with next — one request.
func (s *Phones) behaviour(c context.Context, in *setBehaviour) (out BehaviourOrder, err error) {
	b, err := identities.ParseBehaviour(string(in.Body.Action), in.Body.After)
	if err != nil {
		return out, err
	}
	if in.Body.Next {
		return in.Body, s.ECPS.Prepare(c, in.ID, b)
	}
	return in.Body, s.People.SetBehaviour(c, in.ID, b)
}

func (s *Phones) requests(c context.Context, in *listRequests) (*Page[ecps.Request], error) {
	return page(in.Paging, Requests(c, s.ECPS, in.filter(identities.MeansECPS)))
}

// Requests lists requests for a phone or a card.
func Requests(c context.Context, phones *ecps.Phones, f ecps.Filter) Lister[ecps.Request] {
	return func(after string, limit int) ([]ecps.Request, string, error) {
		f.After, f.Limit = after, limit
		return phones.Requests(c, f)
	}
}

func (s *Phones) request(c context.Context, in *RequestID) (*ecps.Request, error) {
	return s.ECPS.Request(c, in.ID)
}

func (s *Phones) approve(c context.Context, in *approveRequest) (*ecps.Request, error) {
	switch by := in.Body; {
	case by.TOTP != "":
		return s.ECPS.ApproveTOTP(c, in.ID, by.TOTP)
	case by.Code != "" || by.Number != "":
		return s.ECPS.Approve(c, in.ID, ecps.Response{Code: by.Code, Number: by.Number, Signature: by.Signature})
	}
	return s.ECPS.Answer(c, in.ID, ecps.Approved)
}

func (s *Phones) refuse(c context.Context, in *RequestID) (*ecps.Request, error) {
	return s.ECPS.Answer(c, in.ID, ecps.Refused)
}

// streamed is how many waiting requests an event holds at the most, the oldest
// first; the list has the others.
const streamed = 1000

// stream tells of every change of what waits as a server-sent event.
func (s *Phones) stream(_ context.Context, in *streamRequests) (Stream, error) {
	f := ecps.Filter{NationalID: in.NationalID, Means: identities.MeansECPS, PendingOnly: true, Limit: streamed}
	return func(c echo.Context) error {
		return Events(c, s.ECPS, s.Closing, func() (any, error) {
			rs, _, err := s.ECPS.Requests(c.Request().Context(), f)
			return rs, err
		})
	}, nil
}

func (s *Phones) operations() []Operation {
	person, waiting := Example{Path: examplePerson}, Example{Path: map[string]string{"id": exampleRequest}}
	return of("phones",
		operation("GET", "/identities/:id/ecps", "getPhone", "Get a person's e-CPS", s.get,
			says("With the devices before it, and how the coming requests are answered."),
			refuses(problem.ECPSUnknown, problem.IdentityUnknown), example(person)),
		operation(
			"POST",
			"/identities/:id/ecps",
			"activatePhone",
			"Activate an e-CPS, or begin to",
			s.activate,
			says("With a code, or nothing, it is there at once. With by it begins as on the portal: by card, with the "+
				"card and its PIN, or by contact."),
			answersA[ecps.Device](201, "the e-CPS"),
			answersA[ActivationBegun](201, "with by: what the phone needs"),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.IdentityUnknown,
				problem.ECPSCodeForm,
				problem.ECPSWayUnknown,
				problem.ECPSContactsMissing,
				problem.ECPSADELIByCard,
				problem.ECPSActivationTooMany,
				problem.CardOtherPerson,
			),
			refuses(presenting...),
			example(Example{Path: examplePerson, Body: ActivationRequest{Code: "1234"}}),
		),
		operation("DELETE", "/identities/:id/ecps", "removePhone", "End an e-CPS", s.remove,
			refuses(problem.ECPSUnknown, problem.ECPSReasonUnknown),
			example(Example{Path: examplePerson, Query: map[string]string{"why": "lost"}})),
		operation(
			"PUT",
			"/identities/:id/ecps/behaviour",
			"setBehaviour",
			"Say how a phone answers",
			s.behaviour,
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.BehaviourUnknown,
				problem.DelayInvalid,
				problem.IdentityUnknown,
				problem.IdentityFromFile,
				problem.ECPSUnknown,
				problem.ECPSNextTooMany,
			),
			example(Example{Path: examplePerson, Body: BehaviourOrder{Action: identities.Refuse, After: "3s", Next: true}}),
		),
		operation("GET", "/identities/:id/ecps/totp", "getTOTP", "Get the one-time password of this moment", s.totp,
			says("Also whether it has served, and when the next one comes."),
			refuses(problem.ECPSUnknown, problem.DoorClosed), example(person)),
		operation("POST", "/ecps/activations", "completeActivation", "Do the phone's part of an activation",
			s.complete, refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.ECPSActivationUnknown,
				problem.ECPSActivationUsed, problem.ECPSActivationExpired, problem.ECPSActivationDead, problem.ECPSSMSWrong,
				problem.ECPSCodeForm, problem.ECPSKeyInvalid),
			example(Example{Body: ecps.Completion{QR: exampleQR, SMS: exampleSMS, Code: "1234"}})),
		operation("GET", "/ecps/requests", "listPhoneRequests", "List the logins that wait on phones, oldest first",
			s.requests, refuses(problem.LimitInvalid, problem.AfterInvalid),
			example(Example{Query: map[string]string{"all": "true", "national_id": examplePerson["id"]}})),
		operation("GET", "/ecps/requests/stream", "streamPhoneRequests", "Follow the logins that wait on phones",
			s.stream, says("Server-sent events: each holds the list of those that wait, whenever it changes."),
			answersIn[[]ecps.Request](200, "text/event-stream", "an event for each change, with those that wait"),
			refuses(problem.StreamsTooMany)),
		operation("GET", "/ecps/requests/:id", "getPhoneRequest", "Get a login that waits, or has waited", s.request,
			refuses(problem.ECPSRequestUnknown), example(waiting)),
		operation("POST", "/ecps/requests/:id/approve", "approvePhoneRequest", "Approve a login", s.approve,
			says("With code, number and signature as the phone would, with totp, or with nothing: with authority."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.ECPSRequestUnknown,
				problem.ECPSRequestSettled,
				problem.RequestWantsCard,
				problem.ECPSUnknown,
				problem.ECPSBlocked,
				problem.ECPSCodeWrong,
				problem.ECPSWrongNumber,
				problem.ECPSKeyMissing,
				problem.ECPSSignatureWrong,
				problem.ECPSTOTPWrong,
				problem.ECPSTOTPUsed,
				problem.DoorClosed,
			),
			example(Example{Path: waiting.Path, Body: Approval{}})),
		operation("POST", "/ecps/requests/:id/refuse", "refusePhoneRequest", "Refuse a login", s.refuse,
			refuses(problem.ECPSRequestUnknown, problem.ECPSRequestSettled), example(waiting)),
	)
}
