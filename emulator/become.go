package emulator

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/journal"
)

// becoming is a whole content that takes the place of the one there.
type becoming struct {
	what   string // backup, state or reset
	by     string // who asked for it
	size   int64  // of what came, in bytes
	madeAt time.Time
	// each goes through the entries, as often as it is called.
	each func(fn func(store.Entry) error) error
	// judge has noted the entries and judges them; nil when they are our own.
	judge *review
	// bad is the refusal of what it refuses.
	bad func(error) error
	// set sets what lies beside the entries, once they are in their place.
	set func() error
	// keep keeps a copy of what was there before.
	keep bool
}

// become puts a content in the place of everything, or changes nothing. It is
// built and judged beside the one that serves; others read and write meanwhile.
// What they wrote then is gone, as is all that was there before, but what was
// revoked stays revoked.
func (e *Emulator) become(ctx context.Context, b becoming) (*api.Restored, error) {
	before := e.setting()
	out := &api.Restored{Bytes: b.size, MadeAt: b.madeAt}
	r := store.Replacement{
		Fill: func(put func(store.Entry) error) (err error) {
			out.Entries, err = e.fill(ctx, b, put)
			return err
		},
		Last: pki.KeepRevokedIn,
		Then: func() error { return errors.Join(b.set(), e.reload(context.WithoutCancel(ctx))) },
		Keep: b.keep,
	}
	kept, err := e.store.Replace(ctx, r)
	if errors.Is(err, store.ErrReplacing) {
		err = busy()
	}
	if errors.Is(err, store.ErrPutBack) {
		slog.Error("the former content serves again", "what", b.what, "error", err)
		if again := errors.Join(e.set(before), e.reload(context.WithoutCancel(ctx))); again != nil {
			slog.Error("the former content", "error", again)
		}
		err = problem.RestorePutBack.Got(err.Error())
	}
	if err != nil {
		return nil, err
	}
	out.Kept = kept
	e.tell(ctx, b, out)
	return out, nil
}

// alone is become, unless another content is on its way.
func (e *Emulator) alone(ctx context.Context, b becoming) (*api.Restored, error) {
	if !e.whole.TryLock() {
		return nil, busy()
	}
	defer e.whole.Unlock()
	return e.become(ctx, b)
}

// fill judges the entries and puts them into the content to be.
func (e *Emulator) fill(ctx context.Context, b becoming, put func(store.Entry) error) (n int, err error) {
	err = b.each(func(entry store.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.judge != nil {
			if err := b.judge.check(entry); err != nil {
				return b.bad(err)
			}
		}
		n++
		return put(entry)
	})
	if err == nil && b.judge != nil {
		if err = b.judge.finish(); err != nil {
			err = b.bad(err)
		}
	}
	return n, err
}

// tell writes into log and journal who put what in the place of everything. A
// reset leaves the journal empty.
func (e *Emulator) tell(ctx context.Context, b becoming, r *api.Restored) {
	size, entries := strconv.FormatInt(b.size, 10), strconv.Itoa(r.Entries)
	detail := map[string]string{"what": b.what, "by": b.by, "bytes": size, "entries": entries}
	if !b.madeAt.IsZero() {
		detail["made_at"] = b.madeAt.Format(time.RFC3339)
	}
	if r.Kept != "" {
		detail["kept"] = r.Kept
	}
	slog.InfoContext(ctx, "everything was replaced",
		"what", b.what, "by", b.by, "bytes", b.size, "entries", r.Entries, "made_at", b.madeAt, "kept", r.Kept)
	if b.what != "reset" {
		e.journal.Add(ctx, "", journal.KindRestore, detail, nil)
	}
}

// reload makes the services forget what they hold of the content before, and
// read again. Whatever a service keeps beside the store is forgotten here.
func (e *Emulator) reload(ctx context.Context) error {
	e.pki.Forget()
	e.journal.Clear()
	if err := store.Recover(ctx, e.store); err != nil { // a long command may have been under way
		return err
	}
	if err := e.oidc.Reload(ctx); err != nil {
		return err
	}
	if err := parallel(func() error { return e.demoClient(ctx) }, func() error { return e.personas(ctx) }); err != nil {
		return err
	}
	e.announced.Lock()
	defer e.announced.Unlock()
	if client, err := e.clients.Get(ctx, DemoID); err == nil {
		e.ready.DemoClient.ClientSecret = client.Secret
	}
	e.describe(ctx)
	if !e.published {
		return nil
	}
	return e.at.folder.announce(&e.ready)
}

// busy is the answer while another content is on its way.
func busy() error {
	return problem.RestoreRunning.Of()
}
