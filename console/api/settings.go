package api

import (
	"context"
	"fmt"
	"strings"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider"
)

// Settings are the policies that change while the emulator runs, and the test
// doors among them.
type Settings struct {
	Settings *config.Live
	Doors    *provider.Doors
}

// Changes are settings by name; numbers and switches may stand as such.
type Changes map[string]any

// texts are settings as text, by their names.
func (c Changes) texts(prefix string) map[string]string {
	out := map[string]string{}
	for name, value := range c {
		out[prefix+strings.ReplaceAll(name, "_", "-")] = fmt.Sprint(value)
	}
	return out
}

type patchSettings struct {
	Body Changes `body:"application/json"`
}

func (s *Settings) list(context.Context, *None) (*List[config.Setting], error) {
	return all(s.Settings.Table()), nil
}

func (s *Settings) patch(_ context.Context, in *patchSettings) (*List[config.Setting], error) {
	if err := s.Settings.Patch(in.Body.texts("")); err != nil {
		return nil, err
	}
	return all(s.Settings.Table()), nil
}

func (s *Settings) doors(context.Context, *None) (*List[provider.Door], error) {
	return all(s.Doors.List()), nil
}

// patchDoors is patch for the policies that are doors.
func (s *Settings) patchDoors(_ context.Context, in *patchSettings) (*List[provider.Door], error) {
	if err := s.Settings.Patch(in.Body.texts("door-")); err != nil {
		return nil, err
	}
	return all(s.Doors.List()), nil
}

func (s *Settings) operations() []Operation {
	return of("settings",
		operation("GET", "/doors", "listDoors", "List the test doors and whether they are open", s.doors),
		operation(
			"PATCH",
			"/doors",
			"patchDoors",
			"Open or close test doors",
			s.patchDoors,
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.SettingUnknown,
				problem.PolicyUnknown,
				problem.SettingInvalid,
				problem.SettingFixed,
				problem.DoorsStrict,
			),
			example(Example{Body: Changes{"login-hint": false}}),
		),
		operation("GET", "/settings", "listSettings", "List the settings with value, source and default", s.list),
		operation(
			"PATCH",
			"/settings",
			"patchSettings",
			"Change policies while the emulator runs",
			s.patch,
			says("All of them are changed, or none."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.SettingUnknown,
				problem.PolicyUnknown,
				problem.SettingInvalid,
				problem.SettingFixed,
				problem.DoorsStrict,
				problem.SettingStrict,
			),
			example(Example{Body: Changes{"acr": "eidas2"}}),
		),
	)
}
