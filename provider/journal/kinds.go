package journal

import "slices"

// Kind is what a step of a login is about.
type Kind string

// The kinds of events.
const (
	KindAuthorize         Kind = "authorize"          // an authorization request came
	KindPAR               Kind = "par"                // an authorization request was pushed
	KindCIBA              Kind = "ciba"               // an application asked for a login without a browser
	KindPage              Kind = "page"               // a page was shown
	KindECPSRequest       Kind = "ecps-request"       // a phone was asked
	KindCardCertificate   Kind = "card-certificate"   // a browser came to the card origin
	KindMeans             Kind = "means"              // the person used a means
	KindCancel            Kind = "cancel"             // the person cancelled
	KindCallback          Kind = "callback"           // the browser was sent back with a code
	KindToken             Kind = "token"              // a code was exchanged
	KindRefresh           Kind = "refresh"            // a refresh token was exchanged
	KindUserInfo          Kind = "userinfo"           // UserInfo was asked
	KindIntrospect        Kind = "introspect"         // a token was introspected
	KindRevoke            Kind = "revoke"             // a token was revoked
	KindSessionFrame      Kind = "session-frame"      // an application asked whether the session goes on
	KindLogout            Kind = "logout"             // a session was logged out
	KindCIBAPing          Kind = "ciba-ping"          // a client's server was told of an answer
	KindBackchannelLogout Kind = "backchannel-logout" // a client's server was told of a logout
	KindWallet            Kind = "wallet"             // the person used the e-CPS portal
	KindFault             Kind = "fault"              // an ordered fault struck
	KindRefused           Kind = "refused"            // a request outside of any login was refused
	KindDropped           Kind = "dropped"            // a login was dropped to make room
	KindRestore           Kind = "restore"            // everything was replaced
)

// Kinds lists the kinds of events, in the order of a login.
var Kinds = []Kind{
	KindAuthorize, KindPAR, KindCIBA, KindPage, KindECPSRequest, KindCardCertificate, KindMeans, KindCancel,
	KindCallback, KindToken, KindRefresh, KindUserInfo, KindIntrospect, KindRevoke, KindSessionFrame, KindLogout,
	KindCIBAPing, KindBackchannelLogout, KindWallet, KindFault, KindRefused, KindDropped, KindRestore,
}

// Valid tells whether there are events of this kind.
func (k Kind) Valid() bool { return slices.Contains(Kinds, k) }
