package api

// What the examples of the document name. A test sends each example: it puts
// what is there in the place of the ids that the emulator chooses.
const (
	exampleRequest       = "F3Q7XK2MVB5TJ4ZC"
	exampleReaderRequest = "H6R2NA5WLC3KQ7YD"
	exampleCard          = "8025000000100001"
	exampleCertificate   = "4f2a9c61d7e8b350"
	exampleOrder         = "ORDER-1"
	exampleLogin         = "L5T3PDZ6QW2A"
	exampleMessage       = "M7Y4KB2XNE6S"
	exampleJob           = "J2C5RV7ODT3G"
	exampleKey           = "k-2030-01"
	exampleStructure     = "99999999900001"
	exampleNewID         = "899790019999"
	exampleClientID      = "agenda"
	exampleSpace         = "suite-1"
	exampleQR            = "pscemu-qr-example"
	exampleSMS           = "123456"
	exampleSignature     = "signature"
	exampleDER           = "certificate"
	exampleState         = `{"format":"pscemu-state"}`
	exampleBackup        = "pscemu-backup"
	exampleAuthorize     = "https://localhost:9443/auth?response_type=code&client_id=demo" +
		"&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcallback&scope=openid%20scope_all&acr_values=eidas1" +
		"&state=9b1f3c7a5d2e4f60&nonce=7c0d5e1a3b9f2846"
	exampleScenario = "name: a slow token endpoint\n" +
		"people:\n- national_id: \"899790011177\"\n  behaviour: refuse 3s\n" +
		"faults:\n- kind: slow\n  endpoint: token\n  delay: 50ms\n"
)

// examplePerson names a persona.
var examplePerson = map[string]string{"id": "899790011177"}

// examplePersons chooses what is hers.
var examplePersons = map[string]string{"national_id": "899790011177"}

// exampleNewPerson is somebody to be created.
var exampleNewPerson = map[string]any{
	"national_id": exampleNewID, "civility": "MME", "family_name": "MARTIN", "given_name": "Claire",
	"email": "claire.martin@exemple.invalid", "exercices": []any{}, "behaviour": "approve",
	"allow_invalid": "without an exercise, on purpose",
}

// exampleClient is a registration.
var exampleClient = map[string]any{
	"client_id": exampleClientID, "name": "Agenda", "redirect_uris": []string{"https://agenda.example/callback"},
	"post_logout_redirect_uris": []string{"https://agenda.example/"},
}

// tags are the resources, in the document's order.
var tags = []tag{
	{"people", "the identities: read, written, generated, imported and exported"},
	{"codes", "the code tables of the field"},
	{"phones", "people's e-CPS and the logins that wait on them"},
	{"outbox", "mails and SMS that would have been sent"},
	{"cards", "people's cards, the kits of test cards, and what a card signs"},
	{"reader", "the virtual card reader and the logins that wait at it"},
	{"certificates", "all that the emulator's authorities issued"},
	{"orders", "the order desk: cards and certificates, asked for and delivered"},
	{"clients", "the vendors' registrations"},
	{"logins", "the journal of logins, and what is asserted of them"},
	{"refusals", "what the codes of refusals mean"},
	{"faults", "what goes wrong on purpose"},
	{"scenarios", "situations to test in"},
	{"jobs", "long commands"},
	{"clock", "the emulator's clock"},
	{"settings", "policies that change while the emulator runs, and the test doors"},
	{"keys", "the provider's signing keys"},
	{"deliveries", "what clients' servers were told"},
	{"state", "everything stored, taken as a whole"},
	{"spaces", "isolated emulators of one server"},
	{"doctor", "what may keep a first login from working"},
	{"openapi", "the control API itself"},
}
