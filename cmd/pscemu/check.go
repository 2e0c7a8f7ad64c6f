package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/lab/check"
	"pscemu.invalid/pscemu/provider/faults"
)

func newCheck() *cobra.Command {
	cmd := command("check", "Verdict on an application: drive it through good and faulty logins", 0, runCheck)
	cmd.Example = `  pscemu check --start http://localhost:8080/login --logged-in text=Bienvenue \
    --logout http://localhost:8080/logout
  pscemu check --start http://localhost:8080/ --browser --logged-in 'selector=#user' \
    --report verdict.html --report junit.xml`
	remoteFlags(cmd)
	cmd.Flags().String("start", "", "URL of the application that begins a login")
	cmd.Flags().
		String("logged-in", "", "how to tell that somebody is logged in: "+
			"text=WORDS, selector=CSS (with --browser) or status=URL (200 there)")
	cmd.Flags().String("page", "", "URL to look at for that (where the login ends when empty)")
	cmd.Flags().String("logout", "", "URL of the application that logs out")
	cmd.Flags().String("identity", "", "national id of who logs in (somebody new when empty)")
	cmd.Flags().Bool("browser", false, "drive a headless Chromium instead of an HTTP client")
	cmd.Flags().
		String("ca", "", "PEM file of authorities to trust for the application, beside the machine's and the emulator's")
	cmd.Flags().StringSlice("report", nil, "files to write: NAME.html, NAME.xml (JUnit), NAME.sarif, NAME.json")
	cmd.Flags().
		String("fail-on", "low", "exit 1 when something at least so grave failed: "+strings.Join(faults.Severities, ", "))
	cmd.Flags().StringSlice("accept", nil, "scenarios that may fail, by id")
	return cmd
}

// errVerdict is a check that went through and found something.
var errVerdict = errors.New("the application does not do right")

func runCheck(cmd *cobra.Command, _ []string) error {
	flag := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	if flag("start") == "" || flag("logged-in") == "" {
		return usageError{errors.New("--start and --logged-in are missing; pscemu check --help shows examples")}
	}
	sign, err := check.ParseSign(flag("logged-in"))
	if err != nil {
		return usageError{err}
	}
	if !slices.Contains(faults.Severities, flag("fail-on")) {
		return usageError{
			fmt.Errorf("--fail-on %s: expected one of %s", flag("fail-on"), strings.Join(faults.Severities, ", ")),
		}
	}
	reports, _ := cmd.Flags().GetStringSlice("report")
	for _, file := range reports {
		if _, err := check.FormatOf(file); err != nil {
			return usageError{err}
		}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	t, end, err := checkTarget(ctx, cmd, sign)
	if err != nil {
		return err
	}
	defer end()
	findings, err := check.Run(ctx, t, func(done, all int, _ check.Finding) { progress(cmd, done-1, done, all) })
	if err != nil {
		return err
	}
	report := &check.Report{Application: flag("start"), At: time.Now(), Version: version, Findings: findings}
	if err := writeReports(cmd, report, reports); err != nil {
		return err
	}
	accepted, _ := cmd.Flags().GetStringSlice("accept")
	report.Findings = slices.DeleteFunc(
		slices.Clone(findings),
		func(f check.Finding) bool { return slices.Contains(accepted, f.ID) },
	)
	if report.Worse(flag("fail-on")) {
		return errVerdict
	}
	return nil
}

func checkTarget(ctx context.Context, cmd *cobra.Command, sign check.Sign) (*check.Target, func(), error) {
	flag := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	r, err := connect(cmd)
	if err != nil {
		return nil, nil, err
	}
	t := &check.Target{
		Start:      flag("start"),
		Logout:     flag("logout"),
		Page:       flag("page"),
		LoggedIn:   sign,
		Person:     flag("identity"),
		Base:       r.ready.BaseURL,
		ConsoleURL: r.ready.ConsoleURL,
		API:        r.api,
	}
	if browser, _ := cmd.Flags().GetBool("browser"); browser {
		var stop func()
		t.NewBrowser, stop, err = check.Chromium(ctx, t.Base)
		return t, stop, err
	}
	pem, err := r.ca()
	if err == nil && flag("ca") != "" {
		var more []byte
		more, err = os.ReadFile(flag("ca"))
		pem = append(append(pem, '\n'), more...)
	}
	if err != nil {
		return nil, nil, problem.CheckCA.Got(err.Error())
	}
	t.NewBrowser = check.HTTPBrowsers(t.Base, check.Roots(pem))
	return t, func() {}, nil
}

func writeReports(cmd *cobra.Command, r *check.Report, files []string) error {
	for _, file := range files {
		write, err := check.FormatOf(file)
		if err != nil {
			return err
		}
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := errors.Join(write(f, r), f.Close()); err != nil {
			return err
		}
	}
	if wantsJSON(cmd) {
		return check.Formats["json"](cmd.OutOrStdout(), r)
	}
	check.Print(cmd.OutOrStdout(), r)
	return nil
}
