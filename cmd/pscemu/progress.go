package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// progress shows a bar on a terminal, and a line at each tenth elsewhere. from
// is how much was done when it was shown before.
func progress(cmd *cobra.Command, from, done, all int) {
	w := cmd.ErrOrStderr()
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			filled := 40 * done / all
			end := "\r"
			if done == all {
				end = "\n"
			}
			fmt.Fprintf(w, "[%s%s] %d/%d%s", strings.Repeat("#", filled), strings.Repeat(" ", 40-filled), done, all, end)
			return
		}
	}
	if tenth := max(all/10, 1); done/tenth != from/tenth || done == all {
		fmt.Fprintf(w, "%d of %d\n", done, all)
	}
}
