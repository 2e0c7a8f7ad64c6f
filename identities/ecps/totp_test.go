package ecps_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

func (w *world) password(id string) *ecps.Password {
	w.t.Helper()
	p, err := w.CurrentTOTP(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) totp(request, password string) string {
	_, err := w.ApproveTOTP(context.Background(), request, password)
	if err == nil {
		return ""
	}
	return problem.From(err).Code
}

func TestAOneTimePasswordServesOnceForWhateverRequest(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		id := w.person(1)
		one, two := w.ask(id), w.ask(id)
		earlier := w.password(id).TOTP
		w.clock.Advance(30 * time.Second)
		present := w.password(id)
		if present.Used || !present.Until.Equal(noon.Add(time.Minute)) {
			t.Errorf("%+v", present)
		}
		if got := w.totp(one.ID, present.TOTP); got != "" {
			t.Fatal(got)
		}
		if !w.password(id).Used {
			t.Error("it is not said to have served")
		}
		for what, password := range map[string]string{"again": present.TOTP, "an earlier one": earlier} {
			if got := w.totp(two.ID, password); got != "ecps-totp-used" {
				t.Errorf("%s: %q", what, got)
			}
		}
		if d := w.device(id); d.WrongTOTPs != 0 || w.state(two.ID) != ecps.Pending {
			t.Errorf("a password that has served counts as wrong: %+v", d)
		}
		w.clock.Advance(30 * time.Second)
		if got := w.totp(two.ID, w.password(id).TOTP); got != "" {
			t.Errorf("the next one: %q", got)
		}
		w.clock.Advance(-30 * time.Second)
		if got := w.totp(w.ask(id).ID, w.password(id).TOTP); got != "ecps-totp-used" {
			t.Errorf("after the clock went back: %q", got)
		}
	})
}

func TestAOneTimePasswordThatServedIsRefusedAfterARestart(t *testing.T) {
	c := &clock.Adjustable{}
	c.Set(noon, true)
	path := filepath.Join(t.TempDir(), "db")
	s := openFile(t, path, c)
	w := newWorld(t, s, c)
	id := w.person(1)
	password := w.password(id).TOTP
	if got := w.totp(w.ask(id).ID, password); got != "" {
		t.Fatal(got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, openFile(t, path, c), c)
	if got := w.totp(w.ask(id).ID, password); got != "ecps-totp-used" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestAOneTimePasswordOfFiftyAtOnceServesOne(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		w.countSettled()
		id := w.person(1)
		var asked []*ecps.Request
		for range maxPending {
			asked = append(asked, w.ask(id))
		}
		password := w.password(id).TOTP
		got := fifty(func(n int) error {
			_, err := w.ApproveTOTP(context.Background(), asked[n%len(asked)].ID, password)
			return err
		})
		if got[""] != 1 || got["ecps-totp-used"]+got["ecps-request-settled"] != 49 {
			t.Error(got)
		}
		settled := 0
		for _, r := range asked {
			settled += w.settled(r.ID)
		}
		if settled != 1 || len(w.waiting(ecps.Filter{NationalID: id})) != maxPending-1 {
			t.Errorf("%d were settled", settled)
		}
	})
}

func TestWrongOneTimePasswordsBlockTheDeviceWhateverTheRequest(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		right := w.password(id).TOTP
		wrong := string('0'+('9'-right[0])) + right[1:]
		one, two, three, four := w.ask(id), w.ask(id), w.ask(id), w.ask(id)
		for _, r := range []*ecps.Request{one, two} {
			if got := w.totp(r.ID, wrong); got != "ecps-totp-wrong" {
				t.Errorf("wrong: %q", got)
			}
		}
		if got := w.totp(one.ID, w.password(id).TOTP); got != "" || w.device(id).WrongTOTPs != 0 {
			t.Errorf("a right one: %q, %d wrong ones are left", got, w.device(id).WrongTOTPs)
		}
		for _, r := range []*ecps.Request{two, three, four} {
			if got := w.totp(r.ID, wrong); got != "ecps-totp-wrong" {
				t.Errorf("wrong: %q", got)
			}
		}
		if !w.device(id).Blocked() || w.state(four.ID) != ecps.WrongTOTP || w.state(three.ID) != ecps.Pending {
			t.Errorf("%+v, %s, %s", w.device(id), w.state(four.ID), w.state(three.ID))
		}
		w.clock.Advance(30 * time.Second)
		if got := w.totp(three.ID, w.password(id).TOTP); got != "ecps-blocked" {
			t.Errorf("the right one of a blocked device: %q", got)
		}
		if _, err := w.Approve(
			ctx,
			three.ID,
			ecps.Response{Code: "1234", Number: three.Number},
		); !problem.Is(
			err,
			"ecps-blocked",
		) {
			t.Errorf("its code: %v", err)
		}
		if _, err := w.Activate(ctx, id, "1234"); err != nil || w.device(id).Blocked() {
			t.Errorf("a new device is blocked: %v", err)
		}
	})
}
