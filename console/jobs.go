package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Long commands can be begun and looked at while they go on. What is known of
// them is in memory: it ends with the process, as they do.

// jobState is where a job stands.
type jobState string

const (
	jobRunning   jobState = "running"
	jobDone      jobState = "done"
	jobFailed    jobState = "failed"
	jobCancelled jobState = "cancelled"
)

// jobView is a job at one moment.
type jobView struct {
	ID      string         `json:"id"`
	What    string         `json:"what"` // import, scenario, bulk
	State   jobState       `json:"state"`
	Done    int            `json:"done"`
	Total   int            `json:"total"` // 0 while it is not known
	Result  any            `json:"result,omitempty"`
	Problem *problem.Error `json:"problem,omitempty"`
	Began   time.Time      `json:"began"`
	Ended   time.Time      `json:"ended,omitzero"`
	Back    string         `json:"-"` // page to go on to
}

// job is one long command.
type job struct {
	mu     sync.Mutex
	view   jobView
	cancel context.CancelFunc
}

// progress tells how far a job is; a nil job hears nothing.
func (j *job) progress(done, total int) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.Done, j.view.Total = done, total
}

func (j *job) now() jobView {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view
}

// jobs are the commands under way, and the last ones that ended.
type jobs struct {
	mu  sync.Mutex
	all []*job // oldest first
}

// Bounds of the jobs: how many go on at once, and how many are remembered.
const (
	maxRunning = 4
	jobsKept   = 50
)

// startJob starts a command that goes on by itself; its context ends when it is
// cancelled or the server stops.
func (s *Console) startJob(what, back string, fn func(context.Context, *job) (any, error)) (jobView, error) {
	ctx, cancel := context.WithCancel(context.Background())
	began := jobView{ID: rand.Text()[:12], What: what, State: jobRunning, Began: s.Clock.Now(), Back: back}
	j := &job{view: began, cancel: cancel}
	if err := s.jobs.add(j); err != nil {
		cancel()
		return jobView{}, err
	}
	go func() {
		select {
		case <-s.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	go func() {
		defer cancel()
		result, err := j.do(ctx, fn)
		j.end(s.Clock, result, err)
	}()
	return j.now(), nil
}

// do runs the command. Its panic is its failure, as a request's is: nobody else
// stands behind a job, and it would end the server.
func (j *job) do(ctx context.Context, fn func(context.Context, *job) (any, error)) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			slog.Error("a job panicked", "job", j.now().What, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the job panicked: %v", r)
		}
	}()
	return fn(ctx, j)
}

func (j *job) end(c clock.Clock, result any, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.State, j.view.Result, j.view.Ended = jobDone, result, c.Now()
	switch {
	case errors.Is(err, context.Canceled):
		j.view.State, j.view.Problem = jobCancelled, cancelled()
	case err != nil:
		j.view.State, j.view.Problem = jobFailed, problem.From(err)
	}
}

func cancelled() *problem.Error {
	return problem.JobCancelled.Of()
}

// add remembers a job, and forgets the oldest that has ended.
func (js *jobs) add(j *job) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	running := 0
	for _, other := range js.all {
		if other.now().State == jobRunning {
			running++
		}
	}
	if running >= maxRunning {
		return problem.JobsTooMany.Of()
	}
	js.all = append(js.all, j)
	if len(js.all) > jobsKept {
		n := slices.IndexFunc(js.all, func(j *job) bool { return j.now().State != jobRunning })
		js.all = slices.Delete(js.all, n, n+1)
	}
	return nil
}

func (js *jobs) find(id string) (*job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.all {
		if j.now().ID == id {
			return j, nil
		}
	}
	return nil, problem.JobUnknown.Got(id)
}

func (js *jobs) list() []jobView {
	js.mu.Lock()
	defer js.mu.Unlock()
	out := []jobView{}
	for _, j := range js.all {
		out = append(out, j.now())
	}
	return out
}

func (s *Console) jobRoutes() []route {
	return []route{
		{"GET", "/jobs", "The long commands under way and the last ones that ended, oldest first", s.listJobs},
		{"GET", "/jobs/:id", "One of them: state, done, total, and its result or problem", s.getJob},
		{
			"DELETE",
			"/jobs/:id",
			"Cancel it: an import or a scenario is undone, a bulk action stops where it is",
			s.cancelJob,
		},
	}
}

func (s *Console) listJobs(echo.Context) (any, error) { return items{s.jobs.list(), ""}, nil }

func (s *Console) getJob(c echo.Context) (any, error) {
	j, err := s.jobs.find(param(c, "id"))
	if err != nil {
		return nil, err
	}
	return j.now(), nil
}

func (s *Console) cancelJob(c echo.Context) (any, error) {
	j, err := s.jobs.find(param(c, "id"))
	if err == nil {
		j.cancel()
	}
	return nil, err
}

// accepted answers that a job has begun.
func accepted(c echo.Context, j jobView) error {
	c.Response().Header().Set(echo.HeaderLocation, web.Root(ctx(c))+"/api/v1/jobs/"+j.ID)
	return c.JSON(http.StatusAccepted, j)
}
