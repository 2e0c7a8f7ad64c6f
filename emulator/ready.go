package emulator

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider"
)

// Ready is all that a client or a test needs to use an emulator: ready.json,
// the line of `serve --output json`, and the answer to making a space.
type Ready = api.Ready

// describe fills what is known of a world that is there.
func (e *Emulator) describe(ctx context.Context) {
	r := &e.ready
	issuer := e.at.base + provider.RealmPath
	r.Version, r.PID = e.version, os.Getpid()
	r.BaseURL, r.Issuer, r.Discovery = e.at.base, issuer, issuer+"/.well-known/wallet-openid-configuration"
	r.CardURL, r.ConsoleURL, r.APIURL = e.at.card, e.at.console, e.at.console+"/api/v1"
	r.Personas = []api.PersonaRow{}
	for _, p := range identities.Personas() {
		i, err := e.people.Get(ctx, p.NationalID)
		if err != nil {
			continue // deleted meanwhile
		}
		row := api.PersonaRow{
			NationalID: i.NationalID,
			Name:       i.Name(),
			Behaviour:  i.Behaviour.Action,
			Means:      []identities.Means{},
		}
		if p.ECPS {
			row.Means = append(row.Means, identities.MeansECPS)
		}
		if p.Card != "" {
			row.Means = append(row.Means, identities.MeansCard)
		}
		r.Personas = append(r.Personas, row)
	}
}

// folder is where a world leaves files for its users: ready.json, the server
// CA and the demo client's certificate.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// keep writes a file unless it holds that already.
func (f folder) keep(name string, data []byte, mode os.FileMode) error {
	if f.holds(name, data, mode) {
		return nil
	}
	return f.put(name, data, mode)
}

// make makes the folder.
func (f folder) make() error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return problem.DataFolderUnusable.Case("make").Got(err.Error())
	}
	return nil
}

// unused refuses a folder where another emulator runs: without a database file
// nothing else keeps two apart.
func (f folder) unused() error {
	raw, err := config.ReadRegular(f.path("ready.json"), config.Largest)
	if err != nil {
		return nil
	}
	var other Ready
	if json.Unmarshal(raw, &other) != nil || other.PID == os.Getpid() || !alive(other.PID) {
		return nil
	}
	return problem.DataFolderTaken.With("file", f).With("pid", other.PID)
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

// announce makes the emulator known: from here on it can be found.
func (e *Emulator) announce() error {
	e.announced.Lock()
	defer e.announced.Unlock()
	e.published = true
	return e.at.folder.announce(&e.ready)
}

// withdraw removes ready.json: the emulator is not to be found any more.
func (e *Emulator) withdraw() {
	e.announced.Lock()
	defer e.announced.Unlock()
	if e.published {
		e.published = false
		_ = os.Remove(e.at.folder.path("ready.json"))
	}
}

// linked makes a new link known, since the former was used.
func (e *Emulator) linked(openURL string) {
	if err := e.relink(openURL); err != nil {
		slog.Error("ready.json could not be written: it holds a used link to the console", "error", err)
	}
	if e.opened != nil {
		e.opened(openURL)
	}
}

func (e *Emulator) relink(openURL string) error {
	e.announced.Lock()
	defer e.announced.Unlock()
	e.ready.OpenURL = openURL
	if !e.published {
		return nil
	}
	return e.at.folder.announce(&e.ready)
}

// announce writes ready.json.
func (f folder) announce(r *Ready) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return f.put("ready.json", append(line, '\n'), 0o600)
}

// demoFiles writes the demo client's certificate for its users, or puts the
// texts into the announcement where there is no folder.
func (e *Emulator) demoFiles(ctx context.Context, cert *pki.Certificate) error {
	pem, key, err := e.pki.PEM(ctx, cert)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(pem, key)
	if err != nil {
		return err
	}
	e.announced.Lock()
	defer e.announced.Unlock()
	e.demoKeys = pair
	d := &e.ready.DemoClient
	if e.at.folder == "" {
		d.Certificate, d.Key = string(pem), string(key)
		return nil
	}
	f := e.at.folder
	d.CertificateFile, d.KeyFile, d.P12File = f.path("demo.pem"), f.path("demo.key"), f.path("demo.p12")
	if info, err := os.Stat(d.P12File); err == nil && info.Mode().IsRegular() && f.holds("demo.pem", pem, 0o644) {
		return f.keep("demo.key", key, 0o600)
	}
	p12, err := e.pki.PKCS12(ctx, cert, "pscemu")
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{{"demo.pem", pem, 0o644}, {"demo.key", key, 0o600}, {"demo.p12", p12, 0o600}} {
		if err := f.keep(file.name, file.data, file.mode); err != nil {
			return err
		}
	}
	return nil
}
