package pki_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// overtaken is a store that another content takes the place of while somebody
// reads it for the first time.
type overtaken struct {
	store.Store
	after func()
	once  atomic.Bool
}

func (o *overtaken) View(ctx context.Context, fn func(store.Tx) error) error {
	err := o.Store.View(ctx, fn)
	if o.once.CompareAndSwap(true, false) {
		o.after()
	}
	return err
}

// authorities is a store that holds a tree of authorities of its own.
func authorities(t *testing.T) (*store.Memory, []byte) {
	t.Helper()
	s := store.NewMemory(&clock.Adjustable{})
	p := pki.New(s, &clock.Adjustable{}, "http://127.0.0.1:1/pki", nil)
	a, err := p.Authority(context.Background(), "el-org")
	if err != nil {
		t.Fatal(err)
	}
	return s, a.Cert.Raw
}

func TestAnAuthorityReadWhileAnotherContentTookItsPlaceIsNotRemembered(t *testing.T) {
	former, _ := authorities(t)
	next, now := authorities(t)
	s := &overtaken{Store: former}
	p := pki.New(s, &clock.Adjustable{}, "http://127.0.0.1:1/pki", nil)
	s.after = func() { s.Store = next; p.Forget() }
	s.once.Store(true)
	for n := range 2 {
		a, err := p.Authority(context.Background(), "el-org")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Cert.Raw, now) {
			t.Errorf("answer %d is the authority of the other content", n)
		}
	}
}
