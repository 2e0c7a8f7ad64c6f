package main

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionIsGitsThenTheModulesThenTheRevision(t *testing.T) {
	built := func(main string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}
	for _, c := range []struct {
		described string
		info      *debug.BuildInfo
		want      string
	}{
		{"v1.2.3-4-gabcdef0", built("v1.0.0"), "v1.2.3-4-gabcdef0"},
		{"", built("v1.0.0"), "v1.0.0"},
		{"", built("(devel)", revision), "0123456"},
		{"", built("(devel)", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "0123456-dirty"},
		{"", built("(devel)"), "devel"},
		{"", nil, "unknown"},
	} {
		if got := versionOf(c.described, c.info); got != c.want {
			t.Errorf("%q: %s, want %s", c.described, got, c.want)
		}
	}
}
