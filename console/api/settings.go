package api

import (
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/provider"
)

// Settings are the policies that change while the emulator runs, and the test
// doors among them.
type Settings struct {
	Settings *config.Live
	Doors    *provider.Doors
}

func (s *Settings) patchSettings(c echo.Context) (any, error) {
	values, err := patch(c, "")
	if err == nil {
		err = s.Settings.Patch(values)
	}
	return items{s.Settings.Table(), ""}, err
}

// patchDoors is patchSettings for the policies that are doors.
func (s *Settings) patchDoors(c echo.Context) (any, error) {
	values, err := patch(c, "door-")
	if err == nil {
		err = s.Settings.Patch(values)
	}
	return items{s.Doors.List(), ""}, err
}

// patch reads names and values; numbers and switches may stand as such.
func patch(c echo.Context, prefix string) (map[string]string, error) {
	var in map[string]any
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return texts(in, prefix), nil
}

// texts are settings as text, by their names.
func texts(in map[string]any, prefix string) map[string]string {
	out := map[string]string{}
	for name, value := range in {
		out[prefix+strings.ReplaceAll(name, "_", "-")] = fmt.Sprint(value)
	}
	return out
}

func (s *Settings) routes() []route {
	return []route{
		{
			"GET",
			"/doors",
			"The test doors and whether they are open",
			func(echo.Context) (any, error) { return items{s.Doors.List(), ""}, nil },
		},
		{"PATCH", "/doors", "Open or close doors: {login-hint: false}", s.patchDoors},
		{
			"GET",
			"/settings",
			"The settings with value, source and default",
			func(echo.Context) (any, error) { return items{s.Settings.Table(), ""}, nil },
		},
		{
			"PATCH",
			"/settings",
			"Change policies while the emulator runs: {acr: eidas2}; all of them, or none",
			s.patchSettings,
		},
	}
}
