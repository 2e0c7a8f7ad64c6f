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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

// Settings are the effective values. The tags are the table: the name (flag
// --name, environment PSCEMU_NAME, key in the file), the default; help.*.yaml says what each does.
type Settings struct {
	Listen        string `name:"listen" default:"127.0.0.1:9443"`
	CardListen    string `name:"card-listen" default:"127.0.0.1:9444"`
	ConsoleListen string `name:"console-listen" default:"127.0.0.1:9440"`
	ConsoleAccess string `name:"console-access" default:"open" choices:"open,link"`
	Data          string `name:"data" default:""`
	Memory        bool   `name:"memory" default:"false"`
	JournalLogins int    `name:"journal-logins" default:"500" form:"[1-9][0-9]{0,6}"`
	JournalSize   int    `name:"journal-size" default:"8" form:"[1-9][0-9]{0,3}"`
	Limits
	MaxSpaces    int           `name:"max-spaces" default:"64" form:"[0-9]{1,4}"`
	SpaceIdle    time.Duration `name:"space-idle" default:"30m"`
	ClockOffset  string        `name:"clock-offset" default:"0s" form:"-?([0-9]+(h|m|s))+"`
	PublicURL    string        `name:"public-url" default:""`
	Hosts        string        `name:"hosts" default:""`
	Output       string        `name:"output" default:"text" choices:"text,json"`
	Strict       bool          `name:"strict" default:"false"`
	Profile      string        `name:"profile" default:"bas-2026" choices:"bas-2026,bas-2023,prod-2026,next"`
	Identities   string        `name:"identities" default:""`
	TrustAnchors string        `name:"trust-anchors" default:""`
	OutboundCA   string        `name:"outbound-ca" default:""`
	Pprof        bool          `name:"pprof" default:"false"`
	LogLevel     string        `name:"log-level" default:"warn" choices:"debug,info,warn,error"`
	LogFormat    string        `name:"log-format" default:"text" choices:"text,json"`
	Policies
}

// Limits bound what anybody can make the emulator take.
type Limits struct {
	MaxBody        int `name:"max-body" default:"1" form:"[1-9][0-9]{0,3}"`
	MaxHeader      int `name:"max-header" default:"64" form:"[1-9][0-9]{0,3}"`
	MaxImport      int `name:"max-import" default:"64" form:"[1-9][0-9]{0,4}"`
	MaxStore       int `name:"max-store" default:"8192" form:"[1-9][0-9]{0,6}"`
	MemoryLimit    int `name:"memory-limit" default:"0" form:"0|[1-9][0-9]{1,6}"`
	MaxLogins      int `name:"max-logins" default:"10000" form:"[1-9][0-9]{0,6}"`
	MaxStreams     int `name:"max-streams" default:"500" form:"[1-9][0-9]{0,5}"`
	MaxConnections int `name:"max-connections" default:"2000" form:"[1-9][0-9]{0,5}"`

	RequestTimeout time.Duration `name:"request-timeout" default:"30s"`
}

// Body is MaxBody in bytes.
func (l Limits) Body() int64 { return int64(l.MaxBody) << 20 }

// Header is MaxHeader in bytes.
func (l Limits) Header() int { return l.MaxHeader << 10 }

// Import is MaxImport in bytes.
func (l Limits) Import() int64 { return int64(l.MaxImport) << 20 }

// Store is MaxStore in bytes.
func (l Limits) Store() int64 { return int64(l.MaxStore) << 20 }

// SoftMemory is MemoryLimit in bytes, 0 for no limit.
func (l Limits) SoftMemory() int64 { return int64(l.MemoryLimit) << 20 }

// InMemory is how many bytes all that is stored in memory may take together. Half
// of a limit is left to the work itself, and to what collecting garbage needs.
func (l Limits) InMemory() int64 {
	if l.MemoryLimit == 0 {
		return l.Store()
	}
	return min(l.Store(), l.SoftMemory()/2)
}

// Setting is one row of the table.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Origin  string `json:"source"` // flag, environment, file, profile, default, api, strict
	Default string `json:"default"`
	Help    string `json:"help"`
	// For tells where a policy can be overridden: client, identity.
	For []string `json:"for,omitempty"`
	// Live tells whether it can change while the emulator runs.
	Live bool `json:"live"`
}

// Loaded are the settings with their origins.
type Loaded struct {
	Settings
	Table []Setting
	// Overruled are the settings that somebody set and strict holds otherwise.
	Overruled []Setting
}

// fields are the settings in the table's order, those of Policies last.
var fields = sync.OnceValue(func() (out []reflect.StructField) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		if !f.Anonymous {
			out = append(out, f)
		}
	}
	return out
})

// Names lists every setting with its default and help, for flags.
func Names() []Setting {
	var out []Setting
	for _, f := range fields() {
		out = append(out, row(f))
	}
	return out
}

// live tells a policy, which can change while the emulator runs.
func live(f reflect.StructField) bool {
	policies, _ := reflect.TypeFor[Settings]().FieldByName("Policies")
	return len(f.Index) > 1 && f.Index[0] == policies.Index[0]
}

func row(f reflect.StructField) Setting {
	s := Setting{
		Name:    f.Tag.Get("name"),
		Value:   f.Tag.Get("default"),
		Origin:  "default",
		Default: f.Tag.Get("default"),
		Help:    english()[f.Tag.Get("name")],
		Live:    live(f),
	}
	if scope := f.Tag.Get("for"); scope != "" {
		s.For = strings.Split(scope, ",")
	}
	return s
}

// IsBool tells whether a setting is a switch.
func IsBool(name string) bool {
	return slices.ContainsFunc(
		fields(),
		func(f reflect.StructField) bool { return f.Tag.Get("name") == name && f.Type.Kind() == reflect.Bool },
	)
}

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
	sources := []source{{"file", fromFile}, {"environment", fromEnv}, {"flag", flags}}
	sources = append([]source{{"profile", profiles[valueIn(sources, "profile")]}}, sources...)
	l, strict := &Loaded{}, valueIn(sources, "strict") == "true"
	for _, f := range fields() {
		row := row(f)
		for _, s := range sources {
			if value, ok := s.values[row.Name]; ok {
				row.Value, row.Origin = value, s.origin
			}
		}
		if err := set(reflect.ValueOf(&l.Settings).Elem().FieldByIndex(f.Index), row, f.Tag); err != nil {
			return nil, err
		}
		if held, ok := strictly(f); ok && strict {
			l.overrule(&row, held)
		}
		l.Table = append(l.Table, row)
	}
	if strict {
		l.hold()
	}
	return l, l.check()
}

// source is one place that settings come from.
type source struct {
	origin string
	values map[string]string
}

func valueIn(sources []source, name string) (value string) {
	for _, s := range sources {
		if v, ok := s.values[name]; ok {
			value = v
		}
	}
	return value
}

// Longest is how long a setting may make anything last. Together with the latest
// time of the clock it stays before 2262, where nanoseconds in 64 bits end.
const (
	Longest = 50 * 365 * 24 * time.Hour
	longest = "438000h (50 years)"
)

// forms are regular expressions too long for a tag, by the name that a tag gives.
var forms = map[string]string{
	"acr":   acrForm + `|((card|mobile)=` + acrForm + `)(,(card|mobile)=` + acrForm + `)?`,
	"delay": `instant|([0-9]+(ms|s|m|h))+`,
}

const acrForm = `[A-Za-z0-9_.:/-]{1,80}`

// set gives a field the value of its row. The tags bound it: choices, form (a
// regular expression, or the name of one), duration (a text that is one unless
// it is this word).
func set(field reflect.Value, row Setting, tag reflect.StructTag) error {
	choices, form, but := tag.Get("choices"), tag.Get("form"), tag.Get("duration")
	bad := func(p *problem.Error) error {
		return p.With("name", row.Name).With("origin", row.Origin).Got(row.Value)
	}
	if choices != "" && !slices.Contains(strings.Split(choices, ","), row.Value) {
		return bad(problem.SettingInvalid.With("wanted", strings.Split(choices, ",")))
	}
	if named, ok := forms[form]; ok {
		form = named
	}
	if form != "" && !regexp.MustCompile("^(?:"+form+")$").MatchString(row.Value) {
		if field.Kind() == reflect.Int {
			return bad(problem.SettingInvalid.Case("number").With("wanted", row.Help))
		}
		return bad(problem.SettingInvalid.With("wanted", row.Help))
	}
	if but != "" && row.Value != but {
		if d, err := time.ParseDuration(row.Value); err != nil || d > Longest {
			return bad(problem.SettingInvalid.Case("duration").With("wanted", but).With("longest", longest))
		}
	}
	switch field.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(row.Value)
		if err != nil || d <= 0 || d > Longest {
			return bad(problem.SettingInvalid.Case("duration-only").With("longest", longest))
		}
		field.SetInt(int64(d))
	case int:
		n, err := strconv.Atoi(row.Value)
		if err != nil {
			return bad(problem.SettingInvalid.Case("number-only"))
		}
		field.SetInt(int64(n))
	case bool:
		if row.Value != "true" && row.Value != "false" {
			return bad(problem.SettingInvalid.Case("bool"))
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
	data, err := ReadNamed(file)
	if err != nil {
		return nil, problem.ConfigUnreadable.Got(err.Error())
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, problem.ConfigMalformed.Got(err.Error())
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
	return problem.SettingUnknown.With("accepted", problem.NearestOf(key, names)).Got(where)
}

func (l *Loaded) check() error {
	if err := l.checkClock(); err != nil {
		return err
	}
	for _, a := range []string{l.Listen, l.CardListen, l.ConsoleListen} {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return problem.AddressInvalid.Got(a)
		}
		if !loopback(host) {
			return problem.AddressNotLoopback.Got(a)
		}
	}
	for _, h := range l.HostNames() {
		if !hostName.MatchString(h) {
			return problem.HostInvalid.Got(h)
		}
	}
	if l.PublicURL != "" {
		u, err := url.Parse(l.PublicURL)
		if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return problem.PublicURLInvalid.Got(l.PublicURL)
		}
	}
	return nil
}

// checkClock refuses an offset at which the clock cannot start.
func (l *Loaded) checkClock() error {
	d, err := clock.ParseOffset(l.ClockOffset)
	if err == nil {
		err = (&clock.Adjustable{}).Offset(d)
	}
	if err == nil {
		return nil
	}
	return problem.SettingInvalid.Case("clock").With("name", "clock-offset").With("why", problem.From(err))
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// HostNames are the further names to answer as.
func (s *Settings) HostNames() []string {
	return strings.FieldsFunc(strings.ToLower(s.Hosts), func(r rune) bool { return r == ',' || r == ' ' })
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
		return "", problem.DataFolderUnknown.Got(err.Error())
	}
	return filepath.Join(home, ".local", "share", "pscemu"), nil
}
