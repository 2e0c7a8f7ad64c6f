package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The files that `make api` makes of the document.
const (
	documentFile = "../../internal/api/openapi.json"
	sumFile      = "../../internal/api/openapi.sha256"
)

// indented is the document as it is kept: of no emulator and no version. Answers
// in YAML are left out, which the client would need a library for, and refusals by
// status, which it reads alike.
func indented(t *testing.T) []byte {
	t.Helper()
	a := &API{URL: "http://127.0.0.1:9440", Version: "0"}
	d := a.describe()
	for _, methods := range d.Paths {
		for _, o := range methods {
			for status, r := range o.Responses {
				delete(r.Content, "application/yaml")
				if status[0] == '4' || status[0] == '5' {
					delete(o.Responses, status) // default has them all
				}
			}
		}
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", " "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// The client in internal/api is made from the document: make api makes it anew.
func TestTheClientIsMadeFromTheDocument(t *testing.T) {
	want := indented(t)
	if *update {
		if err := os.WriteFile(documentFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, want) {
		t.Fatal("the operations or their types changed, internal/api/openapi.json did not: make api")
	}
	sum, err := os.ReadFile(sumFile)
	if err != nil {
		t.Fatal(err)
	}
	made := sha256.Sum256(kept)
	if got, _, _ := strings.Cut(string(sum), " "); got != hex.EncodeToString(made[:]) {
		t.Error("internal/api/client.gen.go was made from another document: make api")
	}
}
