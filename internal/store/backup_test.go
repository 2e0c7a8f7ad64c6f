package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

// written is a backup of some entries, as bytes.
func written(t testing.TB, entries []Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	b, err := NewBackupWriter(&out, "v", time.Unix(1, 0))
	for _, e := range entries {
		err = errors.Join(err, b.Put(e))
	}
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readBack(raw []byte) (out []Entry, err error) {
	b, err := OpenBackup(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	return out, b.Each(func(e Entry) error {
		out = append(out, Entry{e.Key, bytes.Clone(e.Value), e.Expires})
		return nil
	})
}

var someEntries = []Entry{
	{Key: "a/1", Value: []byte(`{"x":1}`)},
	{Key: "a/2", Value: []byte(`""`), Expires: time.Unix(1900000000, 7).UTC()},
	{Key: "b/é%2F", Value: bytes.Repeat([]byte("long "), 300)},
}

func TestABackupIsReadAsItWasWritten(t *testing.T) {
	got, err := readBack(written(t, someEntries))
	if err != nil || !reflect.DeepEqual(got, someEntries) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := readBack(written(t, nil)); err != nil || len(got) != 0 {
		t.Errorf("an empty one: %v %v", got, err)
	}
	b, _ := NewBackupWriter(&bytes.Buffer{}, "v", time.Now())
	if b.Put(Entry{Key: "b"}) != nil || b.Put(Entry{Key: "a"}) == nil || b.Put(Entry{Key: "b"}) == nil {
		t.Error("the order of the keys is not held to")
	}
}

// Every bit of every byte counts, and every length.
func TestABackupWithOneChangedBitIsRefused(t *testing.T) {
	good := written(t, someEntries)
	for at := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << bit
			if _, err := readBack(bad); !problem.Is(err, "backup-unreadable") {
				t.Fatalf("bit %d of byte %d: %v", bit, at, err)
			}
		}
		if _, err := readBack(good[:at]); !problem.Is(err, "backup-unreadable") {
			t.Fatalf("the first %d bytes: %v", at, err)
		}
	}
	if _, err := readBack(append(bytes.Clone(good), 0)); !problem.Is(err, "backup-unreadable") {
		t.Error(err)
	}
}

func FuzzOpenBackup(f *testing.F) {
	f.Add(written(f, someEntries))
	f.Add([]byte(backupMagic + "{}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := readBack(raw)
		if err != nil {
			return
		}
		// body is what lies between the first line and the sum.
		body := func(b []byte) []byte { return b[bytes.IndexByte(b, '\n') : len(b)-sha256.Size] }
		if again := written(t, entries); !bytes.Equal(body(raw), body(again)) {
			t.Errorf("%q was read from %q", body(again), body(raw))
		}
	})
}

// A command of several transactions does not go on in another content.
func TestALongCommandEndsWhenEverythingIsReplaced(t *testing.T) {
	ctx := context.Background()
	things := Collection[string]("things")
	s := NewMemory(&clock.Adjustable{})
	err := Long(ctx, s, func(step Step) error {
		for n := range 4 {
			err := step(func(tx Tx) error { return things.Put(tx, fmt.Sprint(n), "made", Forever) })
			if err != nil {
				return err
			}
			if n == 1 {
				_, err = s.Replace(ctx, Replacement{Fill: func(put func(Entry) error) error {
					return put(Entry{Key: "things/other", Value: []byte(`"restored"`)})
				}})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if !problem.Is(err, "store-replaced") {
		t.Errorf("%v", err)
	}
	if err := s.View(ctx, func(tx Tx) error {
		return Everything(tx, func(e Entry) error {
			if e.Key != "things/other" {
				t.Errorf("%s is there", e.Key)
			}
			return nil
		})
	}); err != nil {
		t.Error(err)
	}
}

func TestAKindJudgesKeyFormAndRecord(t *testing.T) {
	type thing struct {
		ID string `json:"id"`
		N  int    `json:"n"`
	}
	all := KindsOf(
		[]Kind{
			Collection[thing]("things").Kind(Named(func(t *thing) string { return t.ID })),
			Collection[int]("parts").PartKind(),
		},
	)
	for _, good := range []Entry{
		{Key: "things/a%2Fb", Value: []byte(`{"id":"a/b","n":1}`)},
		{Key: "parts/a%2Fb/c", Value: []byte(`7`)},
	} {
		if err := all.Check(good); err != nil {
			t.Errorf("%s: %v", good.Key, err)
		}
	}
	for _, bad := range []Entry{
		{Key: "things/a/b", Value: []byte(`{"id":"a/b","n":1}`)},
		{Key: "things/a%2fb", Value: []byte(`{"id":"a/b","n":1}`)},
		{Key: "things/a", Value: []byte(`{"id":"b","n":1}`)},
		{Key: "things/a", Value: []byte(`{"id":"a","m":1}`)},
		{Key: "things/a", Value: []byte(`{"id":"a"} {}`)},
		{Key: "things/a", Value: []byte(`{"id":"a","n":"1"}`)},
		{Key: "things/", Value: []byte(`{"id":"","n":1}`)},
		{Key: "parts/a", Value: []byte(`7`)},
		{Key: "parts/a/b/c", Value: []byte(`7`)},
		{Key: "others/a", Value: []byte(`7`)},
		{Key: "things", Value: []byte(`7`)},
		{Key: "", Value: []byte(`7`)},
	} {
		if err := all.Check(bad); err == nil {
			t.Errorf("%s: %s was taken", bad.Key, bad.Value)
		}
	}
}
