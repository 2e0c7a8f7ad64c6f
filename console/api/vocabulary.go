package api

import (
	"reflect"

	"github.com/go-jose/go-jose/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// names are what the document calls types whose names say too little outside
// their packages.
var names = map[reflect.Type]string{
	reflect.TypeFor[cards.Request]():        "CardRequest",
	reflect.TypeFor[cards.State]():          "CardState",
	reflect.TypeFor[cards.Signature]():      "CardSignature",
	reflect.TypeFor[cards.Type]():           "CardType",
	reflect.TypeFor[cards.Use]():            "CardUse",
	reflect.TypeFor[ecps.Way]():             "ActivationWay",
	reflect.TypeFor[ecps.Request]():         "LoginRequest",
	reflect.TypeFor[ecps.State]():           "LoginRequestState",
	reflect.TypeFor[ecps.Password]():        "OneTimePassword",
	reflect.TypeFor[ecps.Completion]():      "ActivationCompletion",
	reflect.TypeFor[clock.State]():          "ClockState",
	reflect.TypeFor[clients.Client]():       "ClientRegistration",
	reflect.TypeFor[ClientView]():           "RegisteredClient",
	reflect.TypeFor[clients.Bound]():        "BoundClient",
	reflect.TypeFor[orders.Channel]():       "OrderChannel",
	reflect.TypeFor[pki.ProfileName]():      "CertificateProfile",
	reflect.TypeFor[pki.State]():            "CertificateState",
	reflect.TypeFor[orders.State]():         "OrderState",
	reflect.TypeFor[orders.Step]():          "OrderStep",
	reflect.TypeFor[orders.Form]():          "OrderForm",
	reflect.TypeFor[orders.Actor]():         "OrderActor",
	reflect.TypeFor[orders.Field]():         "OrderField",
	reflect.TypeFor[orders.Need]():          "OrderNeed",
	reflect.TypeFor[orders.Effect]():        "OrderEffect",
	reflect.TypeFor[orders.Online]():        "OnlineService",
	reflect.TypeFor[delivery.Kind]():        "DeliveryKind",
	reflect.TypeFor[delivery.State]():       "DeliveryState",
	reflect.TypeFor[delivery.Attempt]():     "DeliveryAttempt",
	reflect.TypeFor[faults.Kind]():          "FaultName",
	reflect.TypeFor[faults.Description]():   "FaultKind",
	reflect.TypeFor[faults.Stage]():         "FaultStage",
	reflect.TypeFor[faults.Duty]():          "ClientDuty",
	reflect.TypeFor[journal.Kind]():         "EventKind",
	reflect.TypeFor[journal.View]():         "Exchange",
	reflect.TypeFor[journal.Result]():       "ExpectationResult",
	reflect.TypeFor[wire.Answer]():          "PSCAnswer",
	reflect.TypeFor[problem.Why]():          "Refusal",
	reflect.TypeFor[problem.Error]():        "RefusalReason",
	reflect.TypeFor[pki.Faulty]():           "FaultyCertificate",
	reflect.TypeFor[nomenclature.Concept](): "Code",
	reflect.TypeFor[oidc.KeyInfo]():         "SigningKey",
	reflect.TypeFor[oidc.KeyState]():        "SigningKeyState",
	reflect.TypeFor[JobView]():              "Job",
}

// shapes are types that are written as JSON like another.
var shapes = map[reflect.Type]reflect.Type{
	reflect.TypeFor[identities.Behaviour](): reflect.TypeFor[string](),
	reflect.TypeFor[journal.Exchange]():     reflect.TypeFor[journal.View](),
	reflect.TypeFor[*journal.Exchange]():    reflect.TypeFor[journal.View](),
	reflect.TypeFor[jose.JSONWebKeySet]():   reflect.TypeFor[map[string]any](),
	reflect.TypeFor[*jose.JSONWebKeySet]():  reflect.TypeFor[map[string]any](),
}

// absent are lists that may be null, where somebody stored them so.
var absent = []string{"identities.Identity.Exercises", "provider/clients.Client.RedirectURIs",
	"provider/clients.Client.PostLogoutRedirectURIs"}

// words are strings whose values are known.
var words = map[reflect.Type]func() []string{
	reflect.TypeFor[identities.Means](): func() []string { return texts(identities.AllMeans()) },
	reflect.TypeFor[JobState](): func() []string {
		return texts([]JobState{JobRunning, JobDone, JobFailed, JobCancelled})
	},
}

func texts[T ~string](values []T) (out []string) {
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}
