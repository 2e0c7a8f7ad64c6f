package identities

// SubPrefix stands before the national id in every sub (Keycloak's federated
// user id, as captured from PSC).
const SubPrefix = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:"

// OIDs that PSC writes behind a code.
const (
	oidSector = "1.2.250.1.71.4.2.4"
	oidRole   = "1.2.250.1.213.1.1.5.5"
	palier    = "APPPRIP3^1.2.250.1.213.1.5.1.1.1"
	locale    = "1.2.250.1.213.1.3.1.1"
)

// OtherID is one entry of the claim otherIds.
type OtherID struct {
	ID      string `json:"identifiant"`
	Origin  string `json:"origine"`
	Quality int    `json:"qualite"`
}

// RefPro is the claim SubjectRefPro. For an EDIT identity the civility stands
// at the top level instead.
type RefPro struct {
	Civility  *string    `json:"codeCivilite,omitempty"`
	Exercises []Exercise `json:"exercices"`
}

// UserInfo holds PSC's claims in PSC's order. Unknown is "", never null.
type UserInfo struct {
	Sector            string    `json:"Secteur_Activite"`
	Sub               string    `json:"sub"`
	ActivityKind      *string   `json:"codeGenreActivite,omitempty"`
	EmailVerified     bool      `json:"email_verified"`
	Organization      string    `json:"SubjectOrganization"`
	AccessReason      string    `json:"Mode_Acces_Raison"`
	PreferredUsername string    `json:"preferred_username"`
	Civility          *string   `json:"codeCivilite,omitempty"`
	GivenName         string    `json:"given_name"`
	MedicalRegulation string    `json:"Acces_Regulation_Medicale"`
	UITVersion        string    `json:"UITVersion"`
	AuthMode          AuthMode  `json:"authMode,omitempty"`
	Palier            string    `json:"Palier_Authentification"`
	RefPro            *RefPro   `json:"SubjectRefPro,omitempty"` // absent only by a fault
	OrganizationID    string    `json:"SubjectOrganizationID"`
	Role              any       `json:"SubjectRole"` // []string, unless by a fault
	Locale            string    `json:"PSI_Locale"`
	OtherIDs          []OtherID `json:"otherIds"`
	NameID            string    `json:"SubjectNameID"`
	FamilyName        string    `json:"family_name"`
}

// Sub is the subject of this person in every token.
func Sub(nationalID string) string { return SubPrefix + nationalID }

// OtherIDs is the claim otherIds: the directory number with its origin.
func (i *Identity) OtherIDs() []OtherID {
	switch {
	case i.IsEDIT():
		return []OtherID{{i.NationalID, "EDIT", 1}}
	case len(i.NationalID) == 12 && i.NationalID[0] == '8':
		return []OtherID{{i.NationalID, "RPPS", 1}}
	}
	return []OtherID{}
}

// UserInfo makes the claims a relying party receives.
func (i *Identity) UserInfo(authMode AuthMode) UserInfo {
	_, activity := i.main()
	u := UserInfo{
		Sector: coded(
			activity.Sector,
			oidSector,
		),
		Sub:               Sub(i.NationalID),
		Organization:      activity.CorporateName,
		PreferredUsername: i.NationalID,
		GivenName:         i.GivenName,
		MedicalRegulation: "FAUX",
		UITVersion:        "1.0",
		AuthMode:          authMode,
		Palier:            palier,
		RefPro: &RefPro{
			Exercises: i.exercises(),
		},
		OrganizationID: activity.StructureID,
		Role:           i.roles(),
		Locale:         locale,
		OtherIDs:       i.OtherIDs(),
		NameID:         i.NationalID,
		FamilyName:     i.FamilyName,
	}
	if i.IsEDIT() {
		u.Civility, u.ActivityKind = &i.Civility, &activity.Kind
	} else {
		u.RefPro.Civility = &i.Civility
	}
	return u
}

// roles is the claim SubjectRole.
func (i *Identity) roles() []string {
	if role := coded(i.Profession(), oidRole); role != "" {
		return []string{role}
	}
	return []string{}
}

// exercises never holds a nil list: PSC writes [] and not null.
func (i *Identity) exercises() []Exercise {
	out := make([]Exercise, len(i.Exercises))
	for n, e := range i.Exercises {
		if e.Activities == nil {
			e.Activities = []Activity{}
		}
		out[n] = e
	}
	return out
}

func coded(code, oid string) string {
	if code == "" {
		return ""
	}
	return code + "^" + oid
}
