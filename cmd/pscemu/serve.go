package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/provider/journal"
)

// Ready is what ready.json holds and `serve --output json` prints.
type Ready = emulator.Ready

func newServe() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the emulator (the default)", Args: usage(cobra.NoArgs), RunE: serve}
	settingFlags(cmd)
	return cmd
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

func serve(cmd *cobra.Command, _ []string) error {
	l, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	slog.SetDefault(telemetry.Logger(os.Stderr, l.LogFormat, levels[l.LogLevel], journal.LoginOf, journal.MaskText))
	for _, o := range l.Overruled {
		slog.Warn(
			"strict overrules this setting",
			"setting",
			o.Name,
			"value",
			o.Value,
			"from",
			o.Origin,
			"in effect",
			config.HeldByStrict()[o.Name],
		)
	}
	tracer, err := telemetry.NewTracer(os.Getenv, "pscemu", version)
	if err != nil {
		return err
	}
	defer tracer.Close(context.Background())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if limit := l.SoftMemory(); limit > 0 {
		debug.SetMemoryLimit(limit) // beside what follows: whichever asks for less garbage wins
	}
	debug.SetGCPercent(50) // keys are made now, and their garbage would stay
	e, err := emulator.Start(
		ctx,
		emulator.Options{Settings: l, Version: version, Tracer: tracer, Opened: func(next string) {
			if l.Output == "text" { // json is one line, and no more
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "  Console opened; the next link: %s\n", next)
			}
		}},
	)
	if err != nil {
		return err
	}
	ready := e.Ready()
	if l.Output == "json" {
		err = printJSONLine(cmd, ready)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), ready.Text())
	}
	if err == nil {
		debug.SetGCPercent(400) // the heap is a few MB: to collect it less often costs little
		<-ctx.Done()
	}
	e.Close(ctx)
	return err
}
