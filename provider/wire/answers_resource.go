package wire

// resourceAnswers are those of UserInfo, introspection and revocation, of what is
// not served, and of the magic identities.
var resourceAnswers = []Answer{
	{"device-forbidden", "device", "client not allowed", 400, "unauthorized_client",
		"Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client.",
		Measured},
	{"registration-forbidden", "registration", "dynamic registration", 403, "insufficient_scope",
		"Policy 'Trusted Hosts' rejected request to client-registration service. Details: Host not trusted.", Source},
	{"userinfo-missing", "userinfo", "no token", 401, "", "", Measured},
	{"userinfo-invalid", "userinfo", "garbage", 401, "invalid_token", "Token verification failed", Measured},
	{"userinfo-session", "userinfo", "after logout or revocation", 401, "invalid_token", "user_session_not_found",
		Measured},
	{"userinfo-person", "userinfo", "the person was deleted", 401, "invalid_token", "User not found", Source},
	{"userinfo-bound", "userinfo", "certificate-bound token, other certificate", 401, "unauthorized_client",
		"Client certificate missing, or its thumbprint and one in the refresh token did NOT match", Source},
	{"introspect-client", "introspection", "no client authentication", 401, "invalid_request",
		"Authentication failed.", Measured},
	{"introspect-token", "introspection", "no token", 400, "invalid_request", "Token not provided.", Measured},
	{"revoke-token", "revocation", "no token", 400, "invalid_request", "Token not provided", Measured},
	{"revoke-invalid", "revocation", "garbage", 200, "invalid_token", "Invalid token", Measured},
	{"server-error", "every endpoint", "the store failed", 500, "server_error", "Internal Server Error", Ours},
	{"quirk-userinfo", "userinfo", "quirk userinfo-500", 500, "unknown_error",
		"For more on this error consult the server log.", Source},
	{"quirk-token-503", "token", "quirk token-503", 503, "temporarily_unavailable", "Service Unavailable", Ours},
}
