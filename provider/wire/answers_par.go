package wire

// parAnswers are those of the endpoint for pushed authorize requests.
var parAnswers = []Answer{
	{"par-request-uri", "par", "request_uri", 400, "invalid_request",
		"It is not allowed to include request_uri to PAR.", Source},
	{"par-redirect-uri", "par", "missing or unregistered redirect_uri", 400, "invalid_request",
		"Invalid parameter: redirect_uri", Source},
	{"par-response-type", "par", "unknown response_type", 400, "invalid_request", "Unsupported response type",
		Source},
	{"par-object", "par", "unreadable request object", 400, "invalid_request_object", "Invalid Request", Source},
	{"par-too-long", "par", "a parameter that is longer than is kept", 400, "invalid_request", "Invalid Request",
		Ours},
}
