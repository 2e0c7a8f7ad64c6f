// Package config holds every setting of the emulator, where each came from,
// and the table people read. Nothing else reads the environment or flags.
package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"pscemu/problem"
)

// Settings are the effective values. The tags are the table: the name (flag
// --name, environment PSCEMU_NAME, key in the file), the default and the help.
type Settings struct {
	Listen          string        `name:"listen" default:"127.0.0.1:9443" help:"address of the protocol listener (TLS)"`
	CardListen      string        `name:"card-listen" default:"127.0.0.1:9444" help:"address of the card origin (TLS, asks for a card certificate)"`
	ConsoleListen   string        `name:"console-listen" default:"127.0.0.1:9440" help:"address of the console and control API (HTTP, loopback only)"`
	Data            string        `name:"data" default:"" help:"data folder ($XDG_DATA_HOME/pscemu when empty)"`
	PublicURL       string        `name:"public-url" default:"" help:"base URL that clients use (https://localhost:PORT when empty)"`
	Output          string        `name:"output" default:"text" help:"text or json" choices:"text,json"`
	Strict          bool          `name:"strict" default:"false" help:"close every test door and show PSC's error texts alone"`
	ClientAuth      string        `name:"client-auth" default:"mtls" help:"how clients authenticate: mtls, secret or either" choices:"mtls,secret,either"`
	ACR             string        `name:"acr" default:"requested" help:"acr policy: requested, a value, or card=eidas2,mobile=eidas1"`
	CodeLifetime    time.Duration `name:"code-lifetime" default:"1m" help:"lifetime of a code"`
	AccessLifetime  time.Duration `name:"access-token-lifetime" default:"2m" help:"lifetime of access and id tokens"`
	RefreshLifetime time.Duration `name:"refresh-token-lifetime" default:"30m" help:"lifetime of a refresh token"`
	SessionLifetime time.Duration `name:"session-lifetime" default:"4h" help:"lifetime of the browser's single sign-on session"`
	TrustAnchors    string        `name:"trust-anchors" default:"" help:"PEM file of foreign authorities whose certificates are accepted"`
	LogLevel        string        `name:"log-level" default:"warn" help:"debug, info, warn or error" choices:"debug,info,warn,error"`
}

// Setting is one row of the table.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Origin  string `json:"origin"` // flag, environment, file, default
	Default string `json:"default"`
	Help    string `json:"help"`
}

// Loaded are the settings with their origins.
type Loaded struct {
	Settings
	Table []Setting
}

// Names lists every setting with its default and help, for flags.
func Names() []Setting {
	var out []Setting
	t := reflect.TypeFor[Settings]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		out = append(out, Setting{Name: tag.Get("name"), Default: tag.Get("default"), Help: tag.Get("help")})
	}
	return out
}

// IsBool tells whether a setting is a switch.
func IsBool(name string) bool { return name == "strict" }

// Load merges flags over the environment over the file over the defaults.
// env is os.Environ's form; file may be "".
func Load(flags map[string]string, env []string, file string) (*Loaded, error) {
	fromEnv, err := environment(env)
	if err != nil {
		return nil, err
	}
	fromFile, err := readFile(file)
	if err != nil {
		return nil, err
	}
	l := &Loaded{}
	v := reflect.ValueOf(&l.Settings).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		row := Setting{Name: tag.Get("name"), Value: tag.Get("default"), Origin: "default", Default: tag.Get("default"), Help: tag.Get("help")}
		for _, source := range []struct {
			origin string
			values map[string]string
		}{{"file", fromFile}, {"environment", fromEnv}, {"flag", flags}} {
			if value, ok := source.values[row.Name]; ok {
				row.Value, row.Origin = value, source.origin
			}
		}
		if err := set(v.Field(i), row, tag.Get("choices")); err != nil {
			return nil, err
		}
		l.Table = append(l.Table, row)
	}
	return l, l.check()
}

func set(field reflect.Value, row Setting, choices string) error {
	bad := func(want string) error {
		return problem.New(problem.Invalid, "setting-invalid", "the setting "+row.Name+" ("+row.Origin+") cannot be used").Got(row.Value).Want(want)
	}
	if choices != "" && !slices.Contains(strings.Split(choices, ","), row.Value) {
		return bad(strings.ReplaceAll(choices, ",", ", "))
	}
	switch field.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(row.Value)
		if err != nil || d <= 0 {
			return bad("a duration such as 2m or 4h")
		}
		field.SetInt(int64(d))
	case bool:
		if row.Value != "true" && row.Value != "false" {
			return bad("true or false")
		}
		field.SetBool(row.Value == "true")
	default:
		field.SetString(row.Value)
	}
	return nil
}

const envPrefix = "PSCEMU_"

func environment(env []string) (map[string]string, error) {
	out := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if rest, ok := strings.CutPrefix(name, envPrefix); ok {
			key := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
			if key == "config" {
				continue // names the file
			}
			if err := known(key, "environment variable "+name); err != nil {
				return nil, err
			}
			out[key] = value
		}
	}
	return out, nil
}

func readFile(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, problem.New(problem.Invalid, "config-unreadable", "the configuration file cannot be read").Got(err.Error())
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, problem.New(problem.Invalid, "config-malformed", "the configuration file is no YAML mapping").Got(err.Error()).Want("lines such as listen: 127.0.0.1:9443")
	}
	out := map[string]string{}
	for k, v := range raw {
		key := strings.ReplaceAll(k, "_", "-")
		if err := known(key, "key "+k+" in "+file); err != nil {
			return nil, err
		}
		out[key] = fmt.Sprint(v)
	}
	return out, nil
}

func known(key, where string) error {
	var names []string
	for _, s := range Names() {
		names = append(names, s.Name)
	}
	if slices.Contains(names, key) {
		return nil
	}
	p := problem.New(problem.Invalid, "setting-unknown", "no such setting").Got(where)
	if near := problem.Nearest(key, names); near != "" {
		return p.Want(near)
	}
	return p.Want(strings.Join(names, ", "))
}

func (l *Loaded) check() error {
	for _, a := range []string{l.Listen, l.CardListen, l.ConsoleListen} {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return problem.New(problem.Invalid, "address-invalid", "this is no address to listen on").Got(a).Want("host:port, such as 127.0.0.1:9443; port 0 picks a free one")
		}
		if !loopback(host) {
			return problem.New(problem.Invalid, "address-not-loopback", "the emulator listens on loopback only").Got(a).Want("127.0.0.1, ::1 or localhost").Do("put a proxy of your own before it if others must reach it")
		}
	}
	if l.PublicURL != "" {
		u, err := url.Parse(l.PublicURL)
		if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return problem.New(problem.Invalid, "public-url-invalid", "the public URL cannot be used").Got(l.PublicURL).Want("https://host[:port] without a path")
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// DataDir is the data folder in effect.
func (s *Settings) DataDir() (string, error) {
	if s.Data != "" {
		return filepath.Abs(s.Data)
	}
	if x := os.Getenv("XDG_DATA_HOME"); x != "" {
		return filepath.Join(x, "pscemu"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", problem.New(problem.Invalid, "data-folder-unknown", "no home folder to keep data in").Got(err.Error()).Do("name one with --data")
	}
	return filepath.Join(home, ".local", "share", "pscemu"), nil
}
