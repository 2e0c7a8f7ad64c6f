package demo

import "pscemu.invalid/pscemu/internal/rp"

// titles say each check as the page shows it; the messages say them in English.
var titles = map[rp.Name]string{
	rp.CallbackOnce:     "Retour : aucun paramètre n’est répété",
	rp.CallbackState:    "Retour : state est celui envoyé par ce navigateur",
	rp.CallbackIssuer:   "Retour : iss est l’émetteur attendu",
	rp.CallbackCode:     "Retour : un code, et pas d’erreur",
	rp.TokenAnswer:      "Jetons : la réponse contient access_token et id_token",
	rp.TokenType:        "Jetons : le type est Bearer",
	rp.IDTokenForm:      "id_token : un JWT signé, en trois parties",
	rp.IDTokenAlgorithm: "id_token : alg est celui convenu",
	rp.IDTokenSignature: "id_token : la signature est d’une clé de jwks_uri",
	rp.IDTokenIssuer:    "id_token : iss est l’émetteur attendu",
	rp.IDTokenAudience:  "id_token : aud est ce client, et lui seul",
	rp.IDTokenParty:     "id_token : azp est ce client",
	rp.IDTokenSubject:   "id_token : sub est présent",
	rp.IDTokenExpiry:    "id_token : exp n’est pas passé",
	rp.IDTokenIssued:    "id_token : iat est récent",
	rp.IDTokenNotBefore: "id_token : nbf est passé",
	rp.IDTokenNonce:     "id_token : nonce est celui envoyé",
	rp.IDTokenHash:      "id_token : at_hash est celui de l’access_token",
	rp.IDTokenLevel:     "id_token : acr est un niveau demandé",
	rp.IDTokenAuthTime:  "id_token : auth_time respecte max_age",
	rp.UserInfoAnswer:   "UserInfo : la réponse est en JSON",
	rp.UserInfoSubject:  "UserInfo : sub est celui de l’id_token",
	rp.UserInfoClaims:   "UserInfo : les données attendues sont là, du bon type",
	rp.RefreshSubject:   "Rafraîchissement : sub n’a pas changé",
	rp.RefreshAuthTime:  "Rafraîchissement : auth_time n’a pas changé",
	rp.LogoutState:      "Déconnexion : state est celui envoyé",
}

// row is a check as the page shows it.
type row struct {
	rp.Check
	Title string
}

func rows(checks rp.Checks) (out []row) {
	for _, c := range checks {
		out = append(out, row{c, titles[c.Name]})
	}
	return out
}
