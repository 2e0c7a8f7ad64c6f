package api

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

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// JobView is a job at one moment.
type JobView struct {
	ID      string         `json:"id"`
	What    string         `json:"what"` // import, scenario, bulk
	State   JobState       `json:"state"`
	Done    int            `json:"done"`
	Total   int            `json:"total"` // 0 while it is not known
	Result  any            `json:"result,omitempty"`
	Problem *problem.Error `json:"problem,omitempty"`
	Began   time.Time      `json:"began"`
	Ended   time.Time      `json:"ended,omitzero"`
	Back    string         `json:"-"` // page to go on to
}

// Job is one long command.
type Job struct {
	mu     sync.Mutex
	view   JobView
	cancel context.CancelFunc
}

// Progress tells how far a job is; a nil job hears nothing.
func (j *Job) Progress(done, total int) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.Done, j.view.Total = done, total
}

// Cancel ends the job.
func (j *Job) Cancel() { j.cancel() }

// Now is the job at this moment.
func (j *Job) Now() JobView {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view
}

// Jobs are the commands under way, and the last ones that ended.
type Jobs struct {
	Clock   clock.Clock
	Closing <-chan struct{} // jobs end with it

	mu  sync.Mutex
	all []*Job // oldest first
}

// Bounds of the jobs: how many go on at once, and how many are remembered.
const (
	maxRunning = 4
	jobsKept   = 50
)

// Start starts a command that goes on by itself; its context ends when it is
// cancelled or the server stops.
func (s *Jobs) Start(what, back string, fn func(context.Context, *Job) (any, error)) (JobView, error) {
	ctx, cancel := context.WithCancel(context.Background())
	began := JobView{ID: rand.Text()[:12], What: what, State: JobRunning, Began: s.Clock.Now(), Back: back}
	j := &Job{view: began, cancel: cancel}
	if err := s.add(j); err != nil {
		cancel()
		return JobView{}, err
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
	return j.Now(), nil
}

// do runs the command. Its panic is its failure, as a request's is: nobody else
// stands behind a job, and it would end the server.
func (j *Job) do(ctx context.Context, fn func(context.Context, *Job) (any, error)) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			slog.Error("a job panicked", "job", j.Now().What, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the job panicked: %v", r)
		}
	}()
	return fn(ctx, j)
}

func (j *Job) end(c clock.Clock, result any, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.State, j.view.Result, j.view.Ended = JobDone, result, c.Now()
	switch {
	case errors.Is(err, context.Canceled):
		j.view.State, j.view.Problem = JobCancelled, cancelled()
	case err != nil:
		j.view.State, j.view.Problem = JobFailed, problem.From(err)
	}
}

func cancelled() *problem.Error {
	return problem.JobCancelled.Of()
}

// add remembers a job, and forgets the oldest that has ended.
func (js *Jobs) add(j *Job) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	running := 0
	for _, other := range js.all {
		if other.Now().State == JobRunning {
			running++
		}
	}
	if running >= maxRunning {
		return problem.JobsTooMany.Of()
	}
	js.all = append(js.all, j)
	if len(js.all) > jobsKept {
		n := slices.IndexFunc(js.all, func(j *Job) bool { return j.Now().State != JobRunning })
		js.all = slices.Delete(js.all, n, n+1)
	}
	return nil
}

// Find is the job with this id.
func (js *Jobs) Find(id string) (*Job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.all {
		if j.Now().ID == id {
			return j, nil
		}
	}
	return nil, problem.JobUnknown.Got(id)
}

func (js *Jobs) list() []JobView {
	js.mu.Lock()
	defer js.mu.Unlock()
	out := []JobView{}
	for _, j := range js.all {
		out = append(out, j.Now())
	}
	return out
}

func (s *Jobs) routes() []route {
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

func (s *Jobs) listJobs(echo.Context) (any, error) { return items{s.list(), ""}, nil }

func (s *Jobs) getJob(c echo.Context) (any, error) {
	j, err := s.Find(param(c, "id"))
	if err != nil {
		return nil, err
	}
	return j.Now(), nil
}

func (s *Jobs) cancelJob(c echo.Context) (any, error) {
	j, err := s.Find(param(c, "id"))
	if err == nil {
		j.Cancel()
	}
	return nil, err
}

// accepted answers that a job has begun.
func accepted(c echo.Context, j JobView) error {
	c.Response().Header().Set(echo.HeaderLocation, web.Root(ctx(c))+"/api/v1/jobs/"+j.ID)
	return c.JSON(http.StatusAccepted, j)
}
