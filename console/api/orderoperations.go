package api

import "pscemu.invalid/pscemu/internal/problem"

// step are the refusals of whatever moves an order on.
var step = refuses(problem.OrderUnknown, problem.OrderState)

// operations of the order desk.
func (s *Orders) operations() []Operation {
	return append(s.orderOperations(), s.deskOperations()...)
}

func (s *Orders) orderOperations() []Operation {
	order := Example{Path: map[string]string{"id": exampleOrder}}
	return of("orders",
		operation("GET", "/orders", "listOrders", "List the orders, newest first", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid), example(Example{Query: map[string]string{"limit": "10"}})),
		operation(
			"POST",
			"/orders",
			"beginOrder",
			"Begin an order",
			s.begin,
			refuses(problem.OrderFieldWrong, problem.SIRETMissing,
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.FormUnknown,
				problem.ActorUnknown,
				problem.FormNotSeen,
				problem.ChannelUnknown,
				problem.ChannelNotOffered,
				problem.OrderFieldUnknown,
			),
			example(Example{Body: NewOrder{Form: "F101", Actor: "industriel", Fields: map[string]string{
				"nom": "MARTIN", "prenom": "Claire", "denomination": "EDITEUR FICTIF", "siret": "00000001815646",
				"contrat": "oui"}}}),
		),
		operation("GET", "/orders/:id", "getOrder", "Get an order with its history", s.get,
			refuses(problem.OrderUnknown), example(order)),
		operation("PUT", "/orders/:id", "completeOrder", "Fill in fields of a draft or an incomplete order",
			s.complete, step, refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.OrderFieldUnknown),
			example(Example{Path: order.Path, Body: OrderFields{map[string]string{"denomination": "EDITEUR FICTIF"}}})),
		operation("POST", "/orders/:id/submit", "submitOrder", "Submit an order: the rules are judged", s.submit,
			step, refuses(problem.OrderFieldWrong, problem.SIRETMissing, problem.CardNotManaged, problem.ServiceRefused),
			example(order)),
		operation("POST", "/orders/:id/cancel", "cancelOrder", "Take an order back", s.cancel, step, example(order)),
		operation("POST", "/orders/:id/validate", "validateOrder", "Accept an order, as the ANS", s.validate,
			step, refuses(problem.ReplacementWithoutOpposition, problem.NoInternalID), example(order)),
		operation("POST", "/orders/:id/reject", "rejectOrder", "Refuse an order, as the ANS", s.reject, step,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.ReasonMissing),
			example(Example{Path: order.Path, Body: Rejection{"dossier incomplet"}})),
		operation("POST", "/orders/:id/deliver", "deliverOrder", "Have what was sent arrive", s.deliver, step,
			example(order)),
	)
}

func (s *Orders) deskOperations() []Operation {
	by := Example{Query: map[string]string{"by": examplePerson["id"]}}
	perimeter := refuses(
		problem.ContentTypeWrong,
		problem.BodyInvalid,
		problem.NotAdministrator,
		problem.AdministratorWithoutCard,
		problem.KindOutsidePerimeter,
	)
	return of("orders",
		operation("GET", "/orders/forms", "listOrderForms", "List the order desk's forms, as data", s.forms,
			refuses(problem.ActorUnknown), example(Example{Query: map[string]string{"actor": "liberal"}})),
		operation("GET", "/orders/actors", "listOrderActors", "List who orders", s.actors,
			says("With the forms and services open to them.")),
		operation("GET", "/orders/services", "listOnlineServices", "List the online services TOPS and TOM", s.services),
		operation("POST", "/orders/services/:name/enter", "enterOnlineService",
			"Tell whether a card opens an online service", s.enter,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.ServiceUnknown, problem.ServiceRefused),
			refuses(presenting...),
			example(Example{Path: map[string]string{"name": "TOM"}, Body: Insertion{exampleCard}})),
		operation("GET", "/orders/fleet", "listFleet", "List the cards of the structures that somebody acts for",
			s.fleet, refuses(problem.LimitInvalid, problem.AfterInvalid), example(by)),
		operation("POST", "/orders/fleet/take-back", "takeCardBack", "Take a leaving holder's card back", s.takeBack,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.CardUnknown, problem.CardNotManaged),
			example(Example{Body: TakeBack{examplePerson["id"], exampleCard}})),
		operation("POST", "/orders/registrations", "registerAtOrder", "Register somebody at their order", s.register,
			says("It gives a CPS without asking."),
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.IdentityUnknown, problem.RegistrationWithoutOrder,
				problem.CardThere),
			example(Example{Body: Registration{exampleNewID}})),
		operation("GET", "/orders/structures/:id", "getStructure", "Get what the desk knows of a structure",
			s.structure, refuses(problem.StructureUnknown),
			example(Example{Path: map[string]string{"id": exampleStructure}})),
		operation("GET", "/orders/certificates", "listOrderedCertificates",
			"List the software certificates of the structures that somebody administers", s.certificates,
			refuses(problem.CertificateUnknown, problem.LimitInvalid, problem.AfterInvalid), example(by)),
		operation("POST", "/orders/certificates", "orderCertificate", "Order a certificate, as a technical administrator",
			s.certificate, perimeter, refuses(problem.ServiceMissing, problem.StructureUnknown, problem.StructureReserved,
				problem.ProfileUnknown, problem.KeyTypeUnknown, problem.CSRInvalid),
			example(Example{Body: map[string]string{"by": examplePerson["id"], "structure": exampleStructure,
				"service": "demo", "key": "ecdsa"}})),
		operation("POST", "/orders/certificates/:serial/revoke", "revokeOrderedCertificate",
			"Revoke a certificate, as a technical administrator", s.revoke, perimeter, refuses(problem.CertificateUnknown),
			example(Example{Path: map[string]string{"serial": exampleCertificate}, Body: ActsBy{examplePerson["id"]}})),
	)
}
