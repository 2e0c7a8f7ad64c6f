package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

// Flags, environment and file that contradict strict are named at the start.
func TestAttack50WhatContradictsStrictIsNamedAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("binding-message: text\nstrict: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PSCEMU_HIDE_UNKNOWN_IDS", "false")
	args := []string{"--config", file}
	for name, held := range config.HeldByStrict() {
		if strings.HasPrefix(name, "door-") {
			args = append(args, "--"+name+"="+testkit.Opposite(t, name, held))
		}
	}
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, args...)
	testkit.EveryDoorIsShut(t, s.Server)
	s.stop(os.Interrupt)
	for name := range config.HeldByStrict() {
		if !strings.Contains(log.String(), name) {
			t.Errorf("%s is not named in %s", name, log.String())
		}
	}
}
