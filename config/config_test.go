package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/problem"
)

func TestAFlagBeatsTheEnvironmentBeatsTheFileBeatsTheDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(
		file,
		[]byte("acr: eidas3\nclient-auth: secret\nlisten: 127.0.0.1:1\nstrict: true\n"),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	l, err := Load(
		map[string]string{"acr": "eidas1"},
		[]string{"PSCEMU_ACR=eidas2", "PSCEMU_CLIENT_AUTH=either", "HOME=/x"},
		file,
	)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range l.Table {
		got[row.Name] = row.Value + " " + row.Origin
	}
	for name, want := range map[string]string{
		"acr":         "eidas1 flag",
		"client-auth": "either environment",
		"listen":      "127.0.0.1:1 file",
		"card-listen": "127.0.0.1:9444 default",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if !l.Strict {
		t.Error("strict from the file is lost")
	}
}

func TestWhatCannotBeASettingIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		flags map[string]string
		env   []string
		code  string
		names string
	}{
		"a slip names its neighbour": {env: []string{"PSCEMU_LISTNE=x"}, code: "setting-unknown", names: "listen"},
		"a choice lists the others": {
			flags: map[string]string{"client-auth": "tls"},
			code:  "setting-invalid",
			names: "mtls, secret, either",
		},
		"off loopback": {
			flags: map[string]string{"listen": "0.0.0.0:9443"},
			code:  "address-not-loopback",
			names: "127.0.0.1",
		},
		"no port": {
			flags: map[string]string{"listen": "localhost"},
			code:  "address-invalid",
			names: "host:port",
		},
		"a duration": {
			flags: map[string]string{"code-lifetime": "soon"},
			code:  "setting-invalid",
			names: "duration",
		},
		"plain http": {
			flags: map[string]string{"public-url": "http://x"},
			code:  "public-url-invalid",
			names: "https",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.flags, c.env, "")
			if !problem.Is(err, c.code) || !strings.Contains(err.Error(), c.names) {
				t.Fatalf("got %v, want %s naming %q", err, c.code, c.names)
			}
		})
	}
}

func TestEverySettingSaysWhatItDoesInBothLanguages(t *testing.T) {
	for _, s := range Names() {
		if s.Help == "" || s.HelpIn("fr") == "" || s.HelpIn("fr") == s.Help {
			t.Errorf("%s: %q, %q", s.Name, s.Help, s.HelpIn("fr"))
		}
	}
}
