package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/lab/bench"
)

func newBench() *cobra.Command {
	cmd := command(
		"bench",
		"Load on a running emulator, or another provider: latency and what a login costs the server",
		0,
		runBench,
	)
	cmd.Example = `  pscemu bench --limit
  pscemu bench --means ecps --rate 50 --duration 1m --spread 1000 --output json
  pscemu bench --discovery https://idp.localhost/.well-known/openid-configuration --ca ca.pem --client app \
    --secret s --auth-method basic --means forms --field login=a@b.c --field password=p`
	remoteFlags(cmd)
	f := cmd.Flags()
	f.String("means", "door", "how people log in: "+strings.Join(benchMeans, ", "))
	f.StringSlice("identity", nil, "national ids of who logs in (the first persona when empty)")
	f.Int("spread", 0, "log in so many of the emulator's people in turn, instead of --identity")
	f.Int("workers", 8, "closed loop: users at once, each begins anew when done")
	f.Float64("rate", 0, "open loop: logins a second at random moments, whatever is still under way")
	f.Duration("duration", 10*time.Second, "how long it is measured")
	f.Duration("warm", 2*time.Second, "load before that, not counted")
	f.Bool("limit", false, "measure the floor in turn with the logins: two RSA-2048 signatures and one TLS handshake")
	f.String("client", emulator.DemoID, "client_id")
	f.String("cert", "", "client certificate, PEM (the demo client's when empty)")
	f.String("key", "", "its key")
	f.String("scope", "openid scope_all", "scope")
	f.String("redirect-uri", "http://localhost:5555/callback", "redirect URI (never contacted)")
	f.StringArray("param", nil, "further authorize parameter NAME=VALUE")
	f.String("discovery", "", "discovery document of another provider")
	f.String("ca", "", "PEM file of authorities to trust, with --discovery")
	f.String("secret", "", "client secret, with --discovery")
	f.String("auth-method", "none", "where the secret goes: basic, post or none (mTLS alone)")
	f.StringArray("field", nil, "NAME=VALUE for the forms of --means forms")
	f.IntSlice("pid", nil, "processes of the server (the emulator's own when empty)")
	cmd.AddCommand(
		&cobra.Command{
			Use:    bench.FloorCommand,
			Hidden: true,
			Args:   usage(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return bench.ServeFloor(os.Stdin, cmd.OutOrStdout())
			},
		},
	)
	return cmd
}

var benchMeans = []string{"door", "door-card", "ecps", "card", "test", "ciba", "forms"}

// benchRun is what the flags and the running server say.
type benchRun struct {
	cmd    *cobra.Command
	remote *remote // nil with --discovery
	app    *bench.Application
	plan   bench.Plan
}

func (b *benchRun) flag(name string) string { v, _ := b.cmd.Flags().GetString(name); return v }

func runBench(cmd *cobra.Command, _ []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	b := &benchRun{cmd: cmd}
	if err := b.read(); err != nil {
		return err
	}
	login, err := b.login(ctx)
	if err != nil {
		return err
	}
	shown := 0
	b.plan.Tell = func(done, all time.Duration) {
		now := int(100 * done / all)
		if now > shown {
			progress(cmd, shown, now, 100)
		}
		shown = now
	}
	report, err := bench.Run(ctx, b.plan, login)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if wantsJSON(cmd) {
		err = printJSON(cmd, report)
	} else {
		err = printBench(cmd, report)
	}
	if err == nil && report.Count == 0 {
		err = errors.New("no login succeeded")
	}
	return err
}

// read makes the plan and the application of the flags.
func (b *benchRun) read() error {
	f := b.cmd.Flags()
	b.plan.Workers, _ = f.GetInt("workers")
	b.plan.Rate, _ = f.GetFloat64("rate")
	b.plan.Duration, _ = f.GetDuration("duration")
	b.plan.Warm, _ = f.GetDuration("warm")
	b.plan.Limit, _ = f.GetBool("limit")
	b.plan.PIDs, _ = f.GetIntSlice("pid")
	switch means, method := b.flag("means"), b.flag("auth-method"); {
	case !slices.Contains(benchMeans, means):
		return usageError{fmt.Errorf("--means %s: expected one of %s", means, strings.Join(benchMeans, ", "))}
	case !slices.Contains([]string{"basic", "post", "none"}, method):
		return usageError{fmt.Errorf("--auth-method %s: expected basic, post or none", method)}
	case b.plan.Workers < 1 || b.plan.Rate < 0 || b.plan.Duration <= 0:
		return usageError{errors.New("--workers and --duration must be positive, --rate not negative")}
	case b.flag("discovery") != "" && !slices.Contains([]string{"forms", "ciba"}, means):
		return usageError{
			fmt.Errorf(
				"--means %s is this emulator's; another provider's pages are --means forms, with --field",
				means,
			),
		}
	}
	extra, err := pairsOf(b.cmd, "param")
	if err != nil {
		return err
	}
	b.app = &bench.Application{
		ClientID:    b.flag("client"),
		Secret:      b.flag("secret"),
		SecretIn:    b.flag("auth-method"),
		RedirectURI: b.flag("redirect-uri"),
		Scope:       b.flag("scope"),
		Extra:       extra,
		Workers:     b.plan.Workers,
	}
	return nil
}

// pairsOf reads a flag of NAME=VALUE pairs.
func pairsOf(cmd *cobra.Command, name string) (url.Values, error) {
	list, _ := cmd.Flags().GetStringArray(name)
	out := url.Values{}
	for _, pair := range list {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--%s %s: expected NAME=VALUE", name, pair)}
		}
		out.Set(k, v)
	}
	return out, nil
}

// login prepares one login of the chosen means.
func (b *benchRun) login(ctx context.Context) (func(context.Context) error, error) {
	if discovery := b.flag("discovery"); discovery != "" {
		return b.elsewhere(ctx, discovery)
	}
	var err error
	if b.remote, err = connect(b.cmd); err != nil {
		return nil, err
	}
	if len(b.plan.PIDs) == 0 && b.remote.ready.PID != 0 {
		b.plan.PIDs = []int{b.remote.ready.PID}
	}
	pair, err := b.remote.pair(b.flag("cert"), b.flag("key"))
	if err != nil {
		return nil, err
	}
	if b.app.Roots, err = b.remote.roots(); err != nil {
		return nil, err
	}
	b.app.Certificate = &pair
	if err := b.app.Discover(ctx, b.remote.ready.Discovery); err != nil {
		return nil, err
	}
	people, err := b.people()
	if err != nil {
		return nil, err
	}
	switch b.flag("means") {
	case "ciba":
		return b.app.CIBA(people), nil
	case "ecps":
		return b.app.Login(bench.ECPS(people)), nil
	case "card":
		return b.app.Login(bench.Card(people)), nil
	case "test":
		return b.app.Login(bench.Test(people)), nil
	case "door-card":
		return b.app.Login(bench.Door(people, "card")), nil
	case "forms":
		return b.forms()
	}
	return b.app.Login(bench.Door(people, "")), nil
}

func (b *benchRun) forms() (func(context.Context) error, error) {
	fields, err := pairsOf(b.cmd, "field")
	return b.app.Login(bench.Forms(fields)), err
}

// elsewhere prepares a login at another provider.
func (b *benchRun) elsewhere(ctx context.Context, discovery string) (func(context.Context) error, error) {
	if file := b.flag("ca"); file != "" {
		pem, err := os.ReadFile(file)
		b.app.Roots = x509.NewCertPool()
		if err != nil || !b.app.Roots.AppendCertsFromPEM(pem) {
			return nil, usageError{fmt.Errorf("--ca %s: expected certificates in PEM form (%v)", file, err)}
		}
	}
	if b.flag("cert") != "" {
		pair, err := tls.LoadX509KeyPair(b.flag("cert"), b.flag("key"))
		if err != nil {
			return nil, err
		}
		b.app.Certificate = &pair
	}
	if err := b.app.Discover(ctx, discovery); err != nil {
		return nil, err
	}
	if b.flag("means") == "forms" {
		return b.forms()
	}
	people := &bench.People{}
	ids, _ := b.cmd.Flags().GetStringSlice("identity")
	for _, id := range ids {
		people.All = append(people.All, bench.Person{NationalID: id})
	}
	if len(ids) == 0 {
		return nil, usageError{errors.New("--identity is missing: who approves at the other provider")}
	}
	return b.app.CIBA(people), nil
}

// people are those of --identity, --spread of the emulator's, or one persona.
func (b *benchRun) people() (*bench.People, error) {
	ids, _ := b.cmd.Flags().GetStringSlice("identity")
	if n, _ := b.cmd.Flags().GetInt("spread"); n > 0 {
		var err error
		if ids, err = b.some(n); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		for _, p := range b.remote.ready.Personas {
			if p.Behaviour == identities.Approve && len(p.Means) == 2 {
				ids = []string{p.NationalID}
				break
			}
		}
	}
	if len(ids) == 0 {
		return nil, usageError{errors.New("nobody to log in: name somebody with --identity")}
	}
	out := &bench.People{}
	for _, id := range ids {
		p := bench.Person{NationalID: id, PIN: cards.DefaultPIN}
		if b.flag("means") == "card" {
			var err error
			if p.Card, err = b.cardOf(id); err != nil {
				return nil, err
			}
		}
		out.All = append(out.All, p)
	}
	return out, nil
}

// some are n of the emulator's people whose phone approves by itself and around
// whom nothing goes wrong on purpose.
func (b *benchRun) some(n int) (ids []string, err error) {
	for after := ""; len(ids) < n; {
		page, err := b.remote.api.ListIdentitiesWithResponse(b.cmd.Context(),
			&api.ListIdentitiesParams{Limit: pageOf, After: after})
		if err := b.remote.done(page, err); err != nil {
			return nil, err
		}
		for _, i := range page.JSON200.Items {
			if i.Behaviour == "approve" && len(i.Quirks) == 0 && slices.Contains(i.Means, b.needs()) && len(ids) < n {
				ids = append(ids, i.NationalId)
			}
		}
		if after = page.JSON200.Next; after == "" {
			break
		}
	}
	return ids, nil
}

// needs is what people must have for the chosen means.
func (b *benchRun) needs() api.Means {
	if strings.Contains(b.flag("means"), "card") {
		return api.MeansCard
	}
	return api.MeansEcps
}

// cardOf is a person's card that can be presented.
func (b *benchRun) cardOf(id string) (string, error) {
	list, err := b.remote.api.ListCardsWithResponse(b.cmd.Context(), &api.ListCardsParams{NationalId: id, Limit: pageOf})
	if err := b.remote.done(list, err); err != nil {
		return "", err
	}
	for _, c := range list.JSON200.Items {
		if c.State == "active" {
			return c.Serial, nil
		}
	}
	return "", fmt.Errorf("%s has no active card; issue one: pscemu cards issue %s", id, id)
}

func printBench(cmd *cobra.Command, r *bench.Report) error {
	row := func(what string, c *bench.Cost) []string {
		return []string{
			what,
			fmt.Sprint(c.Count),
			fmt.Sprintf("%.1f", c.PerSecond),
			fmt.Sprintf("%.1f", c.P50),
			fmt.Sprintf("%.1f", c.P90),
			fmt.Sprintf("%.1f", c.P99),
			fmt.Sprintf("%.1f", c.Max),
			fmt.Sprintf("%.2f", c.CPU),
		}
	}
	rows := [][]string{row("login", &r.Cost)}
	if r.Limit != nil {
		rows = append(rows, row("limit", r.Limit))
	}
	if err := printTable(
		cmd,
		[]string{r.Loop + " loop", "done", "per s", "p50 ms", "p90", "p99", "max", "server CPU ms"},
		rows,
	); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if r.Limit != nil {
		fmt.Fprintf(out, "a login costs %.2f times the limit (two RSA-2048 signatures, one TLS handshake)\n", r.Factor)
	}
	if r.InTime > 0 {
		fmt.Fprintf(out, "%.1f %% of the logins began when they were due\n", 100*r.InTime)
	}
	if r.RSS > 0 {
		fmt.Fprintf(out, "server memory %.0f MiB, at most %.0f MiB\n", r.RSS, r.Peak)
	}
	for _, text := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(out, "%d × %s\n", r.Errors[text], text)
	}
	return nil
}
