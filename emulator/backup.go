package emulator

import (
	"context"
	"io"
	"time"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/store"
)

// Backup is a copy of everything stored, of one moment, put aside to be read.
// Others read and write meanwhile.
func (e *Emulator) Backup(ctx context.Context) (*api.Whole, error) {
	return e.aside(func(w io.Writer) error {
		b, err := store.NewBackupWriter(w, e.version, time.Now())
		if err != nil {
			return err
		}
		if err := e.store.View(ctx, func(tx store.Tx) error { return store.Everything(tx, b.Put) }); err != nil {
			return err
		}
		return b.Close()
	})
}

// RestoreBackup puts a copy that Backup wrote in the place of everything
// stored: all of it, or nothing is changed. Clock, settings and faults stay.
func (e *Emulator) RestoreBackup(ctx context.Context, by string, in io.Reader) (*api.Restored, error) {
	file, err := e.spool()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.take(in); err != nil {
		return nil, err
	}
	b, err := store.OpenBackup(file, file.size)
	if err != nil {
		return nil, err
	}
	unreadable := func(err error) error { return store.BackupUnreadable(err) }
	judge := &review{}
	if err := b.Each(func(entry store.Entry) error { judge.note(entry); return ctx.Err() }); err != nil {
		return nil, unreadable(err)
	}
	return e.alone(ctx, becoming{what: "backup", by: by, size: file.size, madeAt: b.MadeAt, each: b.Each, keep: true,
		judge: judge, bad: unreadable, set: func() error { return nil }})
}
