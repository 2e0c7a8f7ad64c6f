package emulator

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// follow loads the folder of identity files, and goes on watching it. What
// cannot be read at the start ends it; later it is logged and the people stay.
func (e *Emulator) follow(ctx context.Context) error {
	dir := e.settings.Identities
	if dir == "" {
		return nil
	}
	seen, err := e.loadFolder(ctx, dir, "")
	if err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if seen, err = e.loadFolder(ctx, dir, seen); err != nil {
					slog.Error("identity files", "error", err)
				}
			}
		}
	}()
	return nil
}

// reloadFolder loads the identity files again after a reset.
func (e *Emulator) reloadFolder(ctx context.Context) error {
	if e.settings.Identities == "" || e.at.root != "" {
		return nil
	}
	_, err := e.loadFolder(ctx, e.settings.Identities, "")
	return err
}

// loadFolder reads the folder when it has changed since seen, and returns what
// it looks like now.
func (e *Emulator) loadFolder(ctx context.Context, dir, seen string) (string, error) {
	files, now, err := identityFiles(dir)
	if err != nil || now == seen {
		return now, err
	}
	var people identities.Files
	defer people.Close()
	for _, f := range files {
		raw, err := config.ReadRegular(f, e.settings.Import())
		if err != nil {
			slog.Warn("identity file skipped", "file", f, "reason", err)
			continue
		}
		if err := readPeople(&people, f, raw); err != nil {
			return now, err
		}
	}
	err = e.people.Follow(ctx, &people, func(tx store.Tx, added []identities.Identity) error {
		if err := e.ecps.ActivateAllIn(tx, added, cards.DefaultPIN); err != nil {
			return err
		}
		return e.cards.EquipIn(tx, added)
	})
	if problem.Is(err, problem.StoreClaimed) || problem.Is(err, problem.StoreReplaced) {
		return seen, err // another long command was in the way: again in a moment
	}
	return now, err
}

// readPeople adds the people of a file.
func readPeople(to *identities.Files, file string, raw []byte) error {
	warnings, err := identities.ReadImport(bytes.NewReader(raw), func(i *identities.Identity) error {
		return to.Put(i, filepath.Base(file))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, w := range warnings {
		slog.Warn("identity file", "file", file, "warning", w)
	}
	return nil
}

// identityFiles lists what is called like an identity file, and a text that
// changes with them. Nothing is opened: a pipe would wait for its writer.
func identityFiles(dir string) (files []string, look string, err error) {
	unusable := problem.IdentitiesUnusable.Of()
	info, err := os.Stat(dir)
	if err != nil {
		return nil, "", unusable.Got(err.Error())
	}
	if !info.IsDir() {
		return nil, "", unusable.Case("file").With("folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, "", unusable.Got(err.Error())
	}
	for _, entry := range entries {
		if !slices.Contains([]string{".json", ".yaml", ".yml", ".csv"}, filepath.Ext(entry.Name())) {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		files = append(files, file)
		info, err := os.Stat(file)
		if err != nil {
			look += fmt.Sprintln(entry.Name(), err)
			continue
		}
		look += fmt.Sprintln(entry.Name(), info.Mode(), info.Size(), info.ModTime().UnixNano())
	}
	return files, look + ".", nil
}
