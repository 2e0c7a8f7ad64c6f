package faults

// Stage is where in a login a fault strikes.
type Stage string

// The stages. HTTP faults change how an endpoint's answer arrives, the others
// what it says.
const (
	HTTP          Stage = "http"
	Callback      Stage = "callback"
	IDToken       Stage = "id_token"
	TokenResponse Stage = "token_response"
	UserInfo      Stage = "userinfo"
	KeySet        Stage = "jwks"
)

// Duty is what a relying party that meets a fault must do.
type Duty string

// The duties.
const (
	Refuse  Duty = "refuse"  // open no session
	Recover Duty = "recover" // log in all the same
	Survive Duty = "survive" // open no session, show an error, and go on working
	Either  Duty = "either"  // log in or not, but answer
)

// Description is a fault that can be ordered, and what it demands of the client.
type Description struct {
	Name  Kind   `json:"name"`
	Stage Stage  `json:"stage"`
	What  string `json:"what"`
	Duty  Duty   `json:"duty"`
	// Source is the requirement a client fulfils by doing its duty.
	Source   string `json:"source"`
	Severity string `json:"severity"` // critical, high, medium, low
	Fix      string `json:"fix"`
}

// Severities are ordered, the gravest first.
var Severities = []string{"critical", "high", "medium", "low"}

// Table describes every fault.
var Table = []Description{
	{
		KindSlow,
		HTTP,
		"the answer comes late (delay, 5s by default)",
		Recover,
		"PSC FAQ: set time-outs; RFC 9700 §4",
		"low",
		"wait at least 10 seconds, and show that something is happening",
	},
	{
		KindStatus,
		HTTP,
		"the answer is an HTTP error (status, 503 by default)",
		Survive,
		"RFC 9110 §15.6",
		"medium",
		"show an error and let the person try again",
	},
	{
		KindMalformed,
		HTTP,
		"the body is cut in the middle and followed by rubbish",
		Survive,
		"RFC 8259",
		"medium",
		"treat an unreadable answer as a failed login",
	},
	{
		KindCut,
		HTTP,
		"the connection is closed in the middle of the answer",
		Survive,
		"RFC 9112 §8",
		"medium",
		"treat an incomplete answer as a failed login",
	},

	{
		KindStateWrong,
		Callback,
		"state is not the one sent",
		Refuse,
		"RFC 6749 §10.12; RFC 9700 §2.1.1",
		"critical",
		"compare state with the value bound to this browser's session before anything else",
	},
	{
		KindStateMissing,
		Callback,
		"state is missing",
		Refuse,
		"RFC 6749 §10.12",
		"critical",
		"refuse a callback without the state that was sent",
	},
	{
		KindIssWrong,
		Callback,
		"iss names another issuer",
		Refuse,
		"RFC 9207 §2.4",
		"high",
		"compare iss of the callback with the issuer of the discovery document",
	},
	{
		KindIssMissing,
		Callback,
		"iss is missing though the provider always sends it",
		Refuse,
		"RFC 9207 §2.4",
		"low",
		"refuse a callback without iss when discovery says authorization_response_iss_parameter_supported",
	},
	{
		KindCodeMissing,
		Callback,
		"the callback holds neither code nor error",
		Survive,
		"RFC 6749 §4.1.2",
		"medium",
		"show an error when code is missing",
	},
	{
		KindCodeWrong,
		Callback,
		"the code is one that was never issued",
		Survive,
		"RFC 6749 §5.2",
		"medium",
		"handle invalid_grant of the token endpoint",
	},
	{
		KindCallbackError,
		Callback,
		"access_denied instead of a code",
		Survive,
		"RFC 6749 §4.1.2.1",
		"medium",
		"handle error in the callback",
	},
	{
		KindCallbackServerError,
		Callback,
		"server_error with a description that holds HTML",
		Survive,
		"RFC 6749 §4.1.2.1; OWASP XSS",
		"high",
		"escape error_description wherever it is shown",
	},

	{
		KindIssInTokenWrong,
		IDToken,
		"iss of the id token is another issuer",
		Refuse,
		"OIDC Core §3.1.3.7 (2)",
		"critical",
		"compare iss with the issuer of the discovery document",
	},
	{
		KindAudWrong,
		IDToken,
		"aud is another client",
		Refuse,
		"OIDC Core §3.1.3.7 (3)",
		"critical",
		"refuse an id token whose aud does not hold your client_id",
	},
	{
		KindAudMany,
		IDToken,
		"aud names another client beside yours, azp the other one",
		Refuse,
		"OIDC Core §3.1.3.7 (3, 4)",
		"medium",
		"refuse audiences that are not trusted, and an azp that is not your client_id",
	},
	{
		KindAzpWrong,
		IDToken,
		"azp is another client",
		Refuse,
		"OIDC Core §3.1.3.7 (5)",
		"medium",
		"compare azp with your client_id",
	},
	{
		KindNonceWrong,
		IDToken,
		"nonce is not the one sent",
		Refuse,
		"OIDC Core §3.1.3.7 (11)",
		"critical",
		"send a nonce bound to the browser's session and compare it",
	},
	{
		KindNonceMissingInToken,
		IDToken,
		"the id token holds no nonce",
		Refuse,
		"OIDC Core §3.1.3.7 (11)",
		"high",
		"refuse an id token without the nonce that was sent",
	},
	{
		KindSignatureWrong,
		IDToken,
		"the signature was tampered with",
		Refuse,
		"OIDC Core §3.1.3.7 (6); RFC 7515 §5.2",
		"high",
		"verify the signature with a key of jwks_uri",
	},
	{
		KindPayloadTampered,
		IDToken,
		"another person's claims under the signature of the first",
		Refuse,
		"RFC 7515 §5.2",
		"high",
		"verify the signature with a key of jwks_uri",
	},
	{
		KindKeyForeign,
		IDToken,
		"signed by a key that is not the provider's, under its kid",
		Refuse,
		"RFC 7515 §10.1",
		"high",
		"verify with keys of jwks_uri alone",
	},
	{
		KindKidUnknown,
		IDToken,
		"kid names a key that is not in the key set",
		Refuse,
		"OIDC Core §10.1",
		"high",
		"fetch the key set again once, then refuse",
	},
	{
		KindAlgNone,
		IDToken,
		"alg none and no signature",
		Refuse,
		"RFC 8725 §3.1; OIDC Core §2",
		"critical",
		"accept RS256 alone",
	},
	{
		KindAlgHS256,
		IDToken,
		"HS256 with the public key as secret",
		Refuse,
		"RFC 8725 §2.1, §3.1",
		"critical",
		"accept RS256 alone, whatever the header says",
	},
	{
		KindKeyInHeader,
		IDToken,
		"signed by the key that its own header brings (jwk)",
		Refuse,
		"RFC 8725 §3.10; RFC 7515 §4.1.3",
		"critical",
		"never take a key from the token",
	},
	{
		KindExpired,
		IDToken,
		"exp is an hour ago",
		Refuse,
		"OIDC Core §3.1.3.7 (9)",
		"high",
		"refuse an id token after exp, with a minute of tolerance at most",
	},
	{KindExpMissing, IDToken, "exp is missing", Refuse, "OIDC Core §2", "medium", "exp is required: refuse without it"},
	{
		KindNotYetValid,
		IDToken,
		"nbf and iat lie an hour ahead",
		Refuse,
		"RFC 7519 §4.1.5",
		"medium",
		"refuse before nbf, and an iat far ahead",
	},
	{
		KindIssuedLongAgo,
		IDToken,
		"iat lies a day back, exp ahead",
		Refuse,
		"OIDC Core §3.1.3.7 (10)",
		"low",
		"refuse an iat that is too long ago",
	},
	{KindSubMissing, IDToken, "sub is missing", Refuse, "OIDC Core §2", "medium", "sub is required: refuse without it"},
	{
		KindAtHashWrong,
		IDToken,
		"at_hash belongs to another access token",
		Refuse,
		"OIDC Core §3.1.3.8",
		"low",
		"compare at_hash with the access token",
	},
	{
		KindACRChanged,
		IDToken,
		"acr is weaker than the one asked for",
		Refuse,
		"OIDC Core §3.1.3.7 (12)",
		"medium",
		"compare acr with acr_values",
	},
	{
		KindAuthTimeOld,
		IDToken,
		"auth_time lies ten hours back",
		Refuse,
		"OIDC Core §3.1.3.7 (13)",
		"low",
		"when max_age was sent, compare auth_time; else this passes",
	},
	{
		KindIDTokenGarbage,
		IDToken,
		"the id token is no JWT",
		Survive,
		"RFC 7519 §7.2",
		"medium",
		"treat it as a failed login",
	},
	{
		KindIDTokenEncrypted,
		IDToken,
		"the id token is a JWE of five parts",
		Survive,
		"RFC 7519 §7.2",
		"low",
		"treat it as a failed login",
	},
	{
		KindIDTokenOld,
		IDToken,
		"the id token of an earlier login is replayed",
		Refuse,
		"OIDC Core §3.1.3.7 (11)",
		"high",
		"the nonce of each login is its own: compare it",
	},

	{
		KindAccessTokenMissing,
		TokenResponse,
		"access_token is missing",
		Survive,
		"RFC 6749 §5.1",
		"medium",
		"treat it as a failed login",
	},
	{
		KindIDTokenMissing,
		TokenResponse,
		"id_token is missing",
		Refuse,
		"OIDC Core §3.1.3.3",
		"critical",
		"no id token, no login",
	},
	{
		KindTokenTypeMissing,
		TokenResponse,
		"token_type is missing",
		Either,
		"RFC 6749 §5.1",
		"low",
		"PSC always sends Bearer; tolerate or refuse, but do not crash",
	},
	{
		KindExpiresInMissing,
		TokenResponse,
		"expires_in is missing",
		Recover,
		"RFC 6749 §5.1",
		"low",
		"expires_in is only recommended",
	},
	{
		KindRefreshTokenMissing,
		TokenResponse,
		"refresh_token is missing",
		Recover,
		"RFC 6749 §5.1",
		"low",
		"a refresh token is optional: log in without",
	},
	{
		KindResponseMembersUnknown,
		TokenResponse,
		"the answer holds members nobody knows",
		Recover,
		"RFC 6749 §5.1",
		"low",
		"ignore what you do not know",
	},

	{
		KindOtherPerson,
		UserInfo,
		"the answer is about another person",
		Refuse,
		"OIDC Core §5.3.2",
		"critical",
		"compare sub of UserInfo with sub of the id token",
	},
	{
		KindSubMissingInUserinfo,
		UserInfo,
		"sub is missing",
		Refuse,
		"OIDC Core §5.3.2",
		"high",
		"sub is required in UserInfo: refuse without it",
	},
	{
		KindClaimsMissing,
		UserInfo,
		"SubjectNameID, SubjectRole and SubjectRefPro are missing",
		Survive,
		"PSC: the claims of UserInfo",
		"medium",
		"check the claims you depend on, and say which is missing",
	},
	{
		KindTypesWrong,
		UserInfo,
		"arrays are strings, strings are numbers, objects are null",
		Survive,
		"PSC: the claims of UserInfo",
		"medium",
		"check types before use",
	},
	{
		KindClaimsHTML,
		UserInfo,
		"names hold HTML",
		Recover,
		"OWASP XSS",
		"critical",
		"escape claims wherever they are shown",
	},
	{
		KindClaimsLong,
		UserInfo,
		"names of 4000 characters",
		Either,
		"PSC: the claims of UserInfo",
		"low",
		"bound what you store and show",
	},
	{
		KindClaimsUnicode,
		UserInfo,
		"names with accents, apostrophes, right-to-left and emoji",
		Recover,
		"RFC 8259 §8.1",
		"medium",
		"handle UTF-8 throughout",
	},

	{
		KindRotated,
		KeySet,
		"the signing key was rotated just before the token was signed",
		Recover,
		"OIDC Core §10.1.1",
		"high",
		"fetch the key set again when kid is unknown",
	},
}

// Described finds the description of a fault.
func Described(k Kind) (Description, bool) {
	for _, d := range Table {
		if d.Name == k {
			return d, true
		}
	}
	return Description{}, false
}
