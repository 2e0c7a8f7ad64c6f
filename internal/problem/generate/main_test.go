package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheTextsAreThoseOfTheCatalogue(t *testing.T) {
	want, err := generated("../catalogue")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../texts.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the catalogue changed, texts.go did not: go generate ./internal/problem (%v)", err)
	}
}
