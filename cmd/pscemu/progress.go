package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/problem"
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
			fmt.Fprintf(
				w,
				"[%s%s] %d/%d%s",
				strings.Repeat("#", filled),
				strings.Repeat(" ", 40-filled),
				done,
				all,
				end,
			)
			return
		}
	}
	if tenth := max(all/10, 1); done/tenth != from/tenth || done == all {
		fmt.Fprintf(w, "%d of %d\n", done, all)
	}
}

// work shows how far a job is, which an answer names, and decodes its result into
// out, unless nil.
func (r *remote) work(cmd *cobra.Command, began *http.Response, out any) error {
	var job struct {
		ID, State   string
		Done, Total int
		Result      json.RawMessage
		Problem     *problem.Error
	}
	err := errors.Join(json.NewDecoder(began.Body).Decode(&job), began.Body.Close())
	for before := 0; err == nil; {
		if job.Total > shownFrom && job.Done != before {
			progress(cmd, before, job.Done, job.Total)
			before = job.Done
		}
		if job.State != "running" {
			break
		}
		time.Sleep(50 * time.Millisecond)
		answer, gone := r.api.GetJobWithResponse(cmd.Context(), job.ID)
		if err = r.done(answer, gone); err == nil {
			err = json.Unmarshal(answer.Body, &job)
		}
	}
	switch {
	case err != nil:
		return err
	case job.Problem != nil:
		return fmt.Errorf("%s (%s)", job.Problem.Error(), job.Problem.Code)
	case out == nil || job.Result == nil:
		return nil
	}
	return json.Unmarshal(job.Result, out)
}

// shownFrom is how many people make it worth to show progress.
const shownFrom = 1000
