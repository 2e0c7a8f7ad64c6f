package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Ready is what ready.json holds and `serve --output json` prints.
type Ready struct {
	Version    string       `json:"version"`
	PID        int          `json:"pid"`
	BaseURL    string       `json:"base_url"`
	Listen     string       `json:"listen"` // address in use, whatever base_url says
	Issuer     string       `json:"issuer"`
	Discovery  string       `json:"discovery"`
	CardURL    string       `json:"card_url"`
	ConsoleURL string       `json:"console_url"`
	APIURL     string       `json:"api_url"`
	APIToken   string       `json:"api_token"`
	CAFile     string       `json:"ca_file"`
	DemoClient DemoClient   `json:"demo_client"`
	Personas   []PersonaRow `json:"personas"`
}

// DemoClient is all a client library needs to log in.
type DemoClient struct {
	ClientID        string   `json:"client_id"`
	ClientSecret    string   `json:"client_secret"`
	CertificateFile string   `json:"certificate_file"`
	KeyFile         string   `json:"key_file"`
	P12File         string   `json:"p12_file"`
	RedirectURIs    []string `json:"redirect_uris"`
}

// PersonaRow is one ready-made person.
type PersonaRow struct {
	NationalID string   `json:"national_id"`
	Name       string   `json:"name"`
	Means      []string `json:"means"`
	Behaviour  string   `json:"behaviour"`
}

func newServe() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the emulator (the default)", Args: usage(cobra.NoArgs), RunE: serve}
	settingFlags(cmd)
	return cmd
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func serve(cmd *cobra.Command, _ []string) error {
	l, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: levels[l.LogLevel]})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := start(ctx, l)
	if err != nil {
		return err
	}
	if l.Output == "json" {
		err = printJSONLine(cmd, e.ready)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), e.ready.text())
	}
	if err == nil {
		<-ctx.Done()
	}
	e.close(ctx)
	return err
}

// text is the announcement for a person.
func (r *Ready) text() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	p("pscemu %s — Pro Santé Connect, émulé sur cette machine", r.Version)
	p("ÉMULATEUR — identités fictives")
	p("")
	p("  Settings for your application")
	p("    discovery       %s", r.Discovery)
	p("    issuer          %s", r.Issuer)
	p("    client_id       %s", r.DemoClient.ClientID)
	p("    client_secret   %s", r.DemoClient.ClientSecret)
	p("    certificate     %s", r.DemoClient.CertificateFile)
	p("    key             %s", r.DemoClient.KeyFile)
	p("    server CA       %s", r.CAFile)
	p("    redirect_uri    any port and path on http://localhost or http://127.0.0.1")
	p("")
	p("  People to log in with")
	for i, persona := range r.Personas {
		if i == 3 {
			break
		}
		p("    %-26s %-28s %s", persona.NationalID, persona.Name, strings.Join(persona.Means, ", "))
	}
	p("")
	p("  Console           %s", r.ConsoleURL)
	p("  Try it            %s/demo", r.ConsoleURL)
	return b.String()
}
