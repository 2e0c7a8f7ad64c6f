package faults

// Kind is the name of a fault.
type Kind string

// Faults of how an answer arrives; Table says what each does.
const (
	KindSlow      Kind = "slow"
	KindStatus    Kind = "status"
	KindMalformed Kind = "malformed"
	KindCut       Kind = "cut"
)

// Faults of the callback; Table says what each does.
const (
	KindStateWrong          Kind = "state-wrong"
	KindStateMissing        Kind = "state-missing"
	KindIssWrong            Kind = "iss-wrong"
	KindIssMissing          Kind = "iss-missing"
	KindCodeMissing         Kind = "code-missing"
	KindCodeWrong           Kind = "code-wrong"
	KindCallbackError       Kind = "callback-error"
	KindCallbackServerError Kind = "callback-server-error"
)

// Faults of the ID token; Table says what each does.
const (
	KindIssInTokenWrong     Kind = "iss-in-token-wrong"
	KindAudWrong            Kind = "aud-wrong"
	KindAudMany             Kind = "aud-many"
	KindAzpWrong            Kind = "azp-wrong"
	KindNonceWrong          Kind = "nonce-wrong"
	KindNonceMissingInToken Kind = "nonce-missing-in-token"
	KindSignatureWrong      Kind = "signature-wrong"
	KindPayloadTampered     Kind = "payload-tampered"
	KindKeyForeign          Kind = "key-foreign"
	KindKidUnknown          Kind = "kid-unknown"
	KindAlgNone             Kind = "alg-none"
	KindAlgHS256            Kind = "alg-hs256"
	KindKeyInHeader         Kind = "key-in-header"
	KindExpired             Kind = "expired"
	KindExpMissing          Kind = "exp-missing"
	KindNotYetValid         Kind = "not-yet-valid"
	KindIssuedLongAgo       Kind = "issued-long-ago"
	KindSubMissing          Kind = "sub-missing"
	KindAtHashWrong         Kind = "at-hash-wrong"
	KindACRChanged          Kind = "acr-changed"
	KindAuthTimeOld         Kind = "auth-time-old"
	KindIDTokenGarbage      Kind = "id-token-garbage"
	KindIDTokenEncrypted    Kind = "id-token-encrypted"
	KindIDTokenOld          Kind = "id-token-old"
)

// Faults of the token response; Table says what each does.
const (
	KindAccessTokenMissing     Kind = "access-token-missing"
	KindIDTokenMissing         Kind = "id-token-missing"
	KindTokenTypeMissing       Kind = "token-type-missing"
	KindExpiresInMissing       Kind = "expires-in-missing"
	KindRefreshTokenMissing    Kind = "refresh-token-missing"
	KindResponseMembersUnknown Kind = "response-members-unknown"
)

// Faults of UserInfo; Table says what each does.
const (
	KindOtherPerson          Kind = "other-person"
	KindSubMissingInUserinfo Kind = "sub-missing-in-userinfo"
	KindClaimsMissing        Kind = "claims-missing"
	KindTypesWrong           Kind = "types-wrong"
	KindClaimsHTML           Kind = "claims-html"
	KindClaimsLong           Kind = "claims-long"
	KindClaimsUnicode        Kind = "claims-unicode"
)

// Faults of the key set; Table says what each does.
const (
	KindRotated Kind = "rotated"
)

// Valid tells whether there is such a fault.
func (k Kind) Valid() bool {
	_, ok := Described(k)
	return ok
}
