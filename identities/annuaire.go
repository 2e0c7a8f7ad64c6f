package identities

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// The extraction of the Annuaire Santé (PS_LibreAcces_Personne_activite): text
// with bars, a bar behind the last column, one row an activity and know-how,
// each code with its label behind it.

// annuaireColumn is a column: the claim's field it holds, or the tables that
// label the code before it. A column with neither is left empty.
type annuaireColumn struct {
	title, field string
	labels       []string
}

// Fields of the person, which no claim's exercise or activity has.
const (
	idType   = "type"
	idNumber = "number"
	idWhole  = "national_id"
	civility = "civility"
)

var annuaireColumns = sync.OnceValue(func() []annuaireColumn {
	code := func(title, field string) annuaireColumn { return annuaireColumn{title: title, field: field} }
	label := func(title string, tables ...string) annuaireColumn {
		return annuaireColumn{title: title, labels: tables}
	}
	return []annuaireColumn{
		code(
			"Type d'identifiant PP",
			idType,
		),
		code("Identifiant PP", idNumber),
		code("Identification nationale PP", idWhole),
		code("Code civilité d'exercice", "codeCiviliteDexercice"),
		label("Libellé civilité d'exercice", "R11", "R81"),
		code("Code civilité", civility),
		label("Libellé civilité", "R81"),
		code("Nom d'exercice", "nomDexercice"),
		code("Prénom d'exercice", "prenomDexercice"),
		code("Code profession", "codeProfession"),
		label("Libellé profession", nomenclature.ProfessionTables...),
		code(
			"Code catégorie professionnelle",
			"codeCategorieProfessionnelle",
		),
		label("Libellé catégorie professionnelle", "R09"),
		code("Code type savoir-faire", "codeTypeSavoirFaire"),
		label("Libellé type savoir-faire", "R04"),
		code("Code savoir-faire", "codeSavoirFaire"),
		label("Libellé savoir-faire", KnowHowTables()...),
		code("Code mode exercice", "codeModeExercice"),
		label("Libellé mode exercice", "R23"),
		code(
			"Numéro SIRET site",
			"numeroSiretSite",
		),
		code("Numéro SIREN site", "numeroSirenSite"),
		code("Numéro FINESS site", "numeroFinessSite"),
		code(
			"Numéro FINESS établissement juridique",
			"numeroFinessetablissementJuridique",
		),
		code("Identifiant technique de la structure", "identifiantTechniqueDeLaStructure"),
		code("Raison sociale site", "raisonSocialeSite"),
		code("Enseigne commerciale site", "enseigneCommercialeSite"),
		code(
			"Complément destinataire (coord. structure)",
			"complementDestinataire",
		),
		code("Complément point géographique (coord. structure)", "complementPointGeographique"),
		code(
			"Numéro Voie (coord. structure)",
			"numeroVoie",
		),
		code("Indice répétition voie (coord. structure)", "indiceRepetitionVoie"),
		code(
			"Code type de voie (coord. structure)",
			"codeTypeDeVoie",
		),
		label("Libellé type de voie (coord. structure)", "R35"),
		code(
			"Libellé Voie (coord. structure)",
			"libelleVoie",
		),
		code("Mention distribution (coord. structure)", "mentionDistribution"),
		code("Bureau cedex (coord. structure)", "bureauCedex"),
		code(
			"Code postal (coord. structure)",
			"codePostal",
		),
		code("Code commune (coord. structure)", "codeCommune"),
		label("Libellé commune (coord. structure)"),
		code("Code pays (coord. structure)", "codePays"),
		label("Libellé pays (coord. structure)"),
		code(
			"Téléphone (coord. structure)",
			"telephone",
		),
		code("Téléphone 2 (coord. structure)", "telephone2"),
		code("Télécopie (coord. structure)", "telecopie"),
		code("Adresse e-mail (coord. structure)", "adresseEMail"),
		code("Code Département (structure)", "codeDepartement"),
		label("Libellé Département (structure)"),
		code(
			"Ancien identifiant de la structure",
			"ancienIdentifiantDeLaStructure",
		),
		code("Autorité d'enregistrement", "autoriteDenregistrement"),
		code("Code secteur d'activité", "codeSecteurDactivite"),
		label("Libellé secteur d'activité", "R02"),
		code(
			"Code section tableau pharmaciens",
			"codeSectionPharmacien",
		),
		label("Libellé section tableau pharmaciens", "R06"),
		code(
			"Code rôle",
			"codeRole",
		),
		label("Libellé rôle", "R21", "R85", "R96"),
		code("Code genre activité", "codeGenreActivite"),
		label("Libellé genre activité", "R22"),
	}
})

func writeAnnuaire(w io.Writer, each Each) error {
	var b bytes.Buffer
	for _, c := range annuaireColumns() {
		b.WriteString(c.title + "|")
	}
	b.WriteString("\n")
	return errors.Join(each(func(i *Identity) error {
		i.eachActivity(func(_, _ int, e Exercise, a Activity) { i.annuaireRow(&b, e, a) })
		return flush(w, &b)
	}), flush(w, &b))
}

func flush(w io.Writer, b *bytes.Buffer) error {
	_, err := b.WriteTo(w)
	return err
}

// barless is what a cell cannot hold, replaced.
var barless = strings.NewReplacer("|", " ", "\n", " ", "\r", " ")

func (i *Identity) annuaireRow(b *bytes.Buffer, e Exercise, a Activity) {
	cells := map[string]string{
		idType:   i.NationalID[:1],
		idNumber: i.NationalID[1:],
		idWhole:  i.NationalID,
		civility: i.Civility,
	}
	ofExercise, ofActivity := values(e), values(a)
	for n, name := range exerciseColumns {
		cells[name] = ofExercise[n]
	}
	for n, name := range activityColumns {
		cells[name] = ofActivity[n]
	}
	if len(i.Exercises) == 0 {
		cells["nomDexercice"], cells["prenomDexercice"] = i.FamilyName, i.GivenName
	}
	last := ""
	for _, c := range annuaireColumns() {
		cell := ""
		if c.field != "" {
			cell, last = cells[c.field], cells[c.field]
		} else if last != "" {
			for _, table := range c.labels {
				if cell = nomenclature.Label(table, last); cell != "" {
					break
				}
			}
		}
		b.WriteString(guard(barless.Replace(cell), "=@\t") + "|")
	}
	b.WriteString("\n")
}

// readAnnuaire reads an extraction: its columns by their titles, in any order;
// those it does not know are named in a warning.
func readAnnuaire(s *source, fn func(*Identity) error) (warnings []string, err error) {
	var ids together
	if _, err := eachLine(s, func(fields, row []string) error {
		if at := slices.Index(fields, idWhole); at < len(row) {
			return ids.row(unguard(row[at]))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var kept []string
	t := table{scattered: ids.not, emit: func(i *Identity) error {
		kept = append(kept, i.tolerate()...)
		return fn(i)
	}}
	if warnings, err = eachLine(s, t.takeAnnuaire); err == nil {
		err = t.flush()
	}
	return append(warnings, kept...), err
}

// eachLine calls fn for each row, with the fields of its columns; it returns
// which columns were left aside.
func eachLine(s *source, fn func(fields, row []string) error) (warnings []string, err error) {
	in, err := s.open()
	if err != nil {
		return nil, err
	}
	var fields []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		row := strings.Split(strings.TrimRight(lines.Text(), "\r\n"), "|")
		switch {
		case fields == nil:
			if fields, warnings, err = annuaireFields(row); err != nil {
				return nil, err
			}
		case len(row) == 1 && row[0] == "":
		default:
			if err := fn(fields, row); err != nil {
				return nil, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, problem.ImportInvalid.Case("extraction").With("most", maxLine).Got(err.Error())
	}
	return warnings, nil
}

// maxLine bounds a line of an extraction.
const maxLine = 1 << 20

// annuaireFields says, column by column, which field it holds, "" for none.
func annuaireFields(titles []string) (fields, warnings []string, err error) {
	like := func(s string) string {
		return strings.NewReplacer("'", "", "’", "", " d ", " ").Replace(fold(s))
	}
	for _, title := range titles {
		n := slices.IndexFunc(annuaireColumns(), func(c annuaireColumn) bool { return like(c.title) == like(title) })
		switch {
		case n >= 0:
			fields = append(fields, annuaireColumns()[n].field)
		default:
			fields = append(fields, "")
			if title != "" && !strings.HasPrefix(fold(title), "libelle") {
				warnings = append(
					warnings,
					fmt.Sprintf("the column %q is not one of the extraction's; it was not read", title),
				)
			}
		}
	}
	for _, c := range annuaireColumns() {
		if (c.field == idWhole || c.field == "nomDexercice" || c.field == "prenomDexercice") &&
			!slices.Contains(fields, c.field) {
			return nil, nil, problem.ImportColumns.Case("extraction").With("title", c.title).Got(strings.Join(titles, "|"))
		}
	}
	return fields, warnings, nil
}

func (t *table) takeAnnuaire(fields, row []string) error {
	if len(row) < len(fields)-1 || len(row) > len(fields)+1 { // the last bar may be missing
		return problem.ImportInvalid.With("count", len(row)).With("row", fmt.Sprintf("%.60s", strings.Join(row, "|"))).With(
			"count_expected",
			len(fields),
		)
	}
	cells := map[string]string{}
	for n := range min(len(fields), len(row)) {
		if fields[n] != "" {
			cells[fields[n]] = unguard(row[n])
		}
	}
	var e Exercise
	var a Activity
	fill(&e, cells)
	fill(&a, cells)
	i, err := t.person(cells[idWhole], func(i *Identity) error {
		i.Civility, i.FamilyName, i.GivenName, i.Tags = cells[civility], e.FamilyName, e.GivenName, []string{"annuaire"}
		return nil
	})
	if err != nil {
		return err
	}
	if e.Profession == "" && e.Category == "" && a == (Activity{}) {
		return nil // known by their name alone
	}
	i.join(e, a)
	return nil
}
