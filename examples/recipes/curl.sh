#!/usr/bin/env bash
# curl: a login without a browser, a fault, and an assertion. READY names
# ready.json of the data folder.
set -euo pipefail
get() { jq -r "$1" "$READY"; }
api() { curl -sSf -X "$1" -H "Authorization: Bearer $(get .api_token)" -H 'Content-Type: application/json' "$(get .api_url)$2" "${@:3}"; }
back=http://localhost:8080/callback person=899790011177
url="$(get .base_url)/auth?response_type=code&client_id=demo&scope=openid%20scope_all&acr_values=eidas1&state=s&nonce=n&redirect_uri=$back"
login() { api POST /logins -d "{\"authorize_url\":\"$url\",\"identity\":\"$person\"}" | jq -r .redirect_to; }
exchange() {
	curl -sS --cacert "$(get .ca_file)" --cert "$(get .demo_client.certificate_file)" --key "$(get .demo_client.key_file)" "$(get .issuer)/protocol/openid-connect/token" \
		-d grant_type=authorization_code -d client_id=demo -d "redirect_uri=$back" -d "code=$(sed 's/.*[?&]code=//' <<<"$1")" "${@:2}"
}
token=$(exchange "$(login)" | jq -r .access_token)
curl -sSf --cacert "$(get .ca_file)" -H "Authorization: Bearer $token" "$(get .issuer)/protocol/openid-connect/userinfo" | jq -e ".SubjectNameID == \"$person\"" >/dev/null
api POST /verify -d "{\"identity\":\"$person\",\"expect\":[\"state\",\"nonce\",\"mtls\",\"userinfo=1\",\"no-refusal\"]}" | jq -e .ok >/dev/null
# The token endpoint is down, once.
api PUT /faults -d '{"items":[{"kind":"status","endpoint":"token","times":1}]}' >/dev/null
[ "$(exchange "$(login)" -o /dev/null -w '%{http_code}')" = 503 ]
[ "$(exchange "$(login)" -o /dev/null -w '%{http_code}')" = 200 ]
api DELETE /faults
echo "curl: ok"
