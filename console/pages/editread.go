package pages

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
)

// reshape adds or takes away an exercise or activity: add-exercise, add-e0,
// remove-e0, remove-e0.a1. Any other action only lets the choices follow.
func reshape(i *identities.Identity, action, profession string) error {
	verb, at, _ := strings.Cut(action, "-")
	switch {
	case action == "add-exercise":
		return addExercise(i, profession)
	case verb != "add" && verb != "remove":
		return nil
	}
	n, m, ok := place(i, at)
	if !ok {
		return problem.FormBroken.Got(action)
	}
	e := &i.Exercises[n]
	switch {
	case verb == "add":
		e.Activities = append(e.Activities, example(e.Profession).MainActivity())
	case m >= 0:
		e.Activities = slices.Delete(e.Activities, m, m+1)
	default:
		i.Exercises = slices.Delete(i.Exercises, n, n+1)
	}
	return nil
}

// place reads the place of an exercise (e0), or of one of its activities
// (e0.a1, else the activity is -1), which the person must have.
func place(i *identities.Identity, at string) (exercise, activity int, ok bool) {
	activity = -1
	read, _ := fmt.Sscanf(at, "e%d.a%d", &exercise, &activity)
	switch {
	case read == 0, exercise < 0, exercise >= len(i.Exercises):
		return 0, 0, false
	case read == 2:
		return exercise, activity, activity >= 0 && activity < len(i.Exercises[exercise].Activities)
	}
	return exercise, -1, !strings.Contains(at, ".")
}

// addExercise adds one of this profession, as the generator makes it.
func addExercise(i *identities.Identity, profession string) error {
	if err := (&identities.Generator{Profession: profession}).Check(); err != nil {
		return err
	}
	e := example(profession).MainExercise()
	e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
	i.Exercises = append(i.Exercises, e)
	return nil
}

// example is anybody of a profession.
func example(profession string) *identities.Identity {
	g := &identities.Generator{Seed: uint64(rand.Uint32()), Profession: profession}
	if g.Check() != nil {
		g.Profession = "" // an exercise without profession, or one that is not generated
	}
	return g.Person(0)
}

// submitted lays the form over the person it began from.
func submitted(c echo.Context) (*identities.Identity, error) {
	i := &identities.Identity{}
	if err := json.Unmarshal([]byte(c.FormValue("base")), i); err != nil {
		return i, problem.FormBroken.Got(err.Error())
	}
	form, err := c.FormParams()
	if err != nil {
		return i, err
	}
	value := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	i.NationalID, i.Civility = value("national_id"), value("civility")
	i.FamilyName, i.GivenName = value("family_name"), value("given_name")
	i.Email, i.Mobile = value("email"), value("mobile")
	i.Notes, i.Tags, i.AllowInvalid = value("notes"), strings.Fields(value("tags")), value("allow_invalid")
	for n := range i.Exercises {
		if err := readExercise(form, n, i); err != nil {
			return i, err
		}
	}
	i.Behaviour, err = identities.ParseBehaviour(form.Get("behaviour"), value("after"))
	return i, err
}

// readExercise lays the form over the nth exercise.
func readExercise(form url.Values, n int, i *identities.Identity) error {
	e := &i.Exercises[n]
	if err := overlay(form, fmt.Sprintf("e%d.", n), e); err != nil {
		return err
	}
	e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
	for m := range e.Activities {
		if err := readActivity(form, fmt.Sprintf("e%d.a%d.", n, m), &e.Activities[m]); err != nil {
			return err
		}
	}
	if i.AllowInvalid == "" {
		e.Settle()
	}
	return nil
}

// readActivity lays the form over an activity, and moves it to the structure
// that was chosen.
func readActivity(form url.Values, at string, a *identities.Activity) error {
	if err := overlay(form, at, a); err != nil {
		return err
	}
	if k, err := strconv.Atoi(strings.TrimSpace(form.Get(at + "structure"))); err == nil {
		if all := identities.Structures(a.Sector); k >= 0 && k < len(all) {
			a.MoveTo(all[k])
		}
	}
	return nil
}

// overlay sets the fields of an exercise or activity that the form has.
func overlay(form url.Values, prefix string, into any) error {
	fields := map[string]string{}
	for name, values := range form {
		if field, ok := strings.CutPrefix(name, prefix); ok && !strings.Contains(field, ".") && field != "structure" {
			fields[field] = strings.TrimSpace(values[0])
		}
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	return err
}
