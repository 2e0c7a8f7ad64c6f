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
func (s *Jobs) add(j *Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := 0
	for _, other := range s.all {
		if other.Now().State == JobRunning {
			running++
		}
	}
	if running >= maxRunning {
		return problem.JobsTooMany.Of()
	}
	s.all = append(s.all, j)
	if len(s.all) > jobsKept {
		n := slices.IndexFunc(s.all, func(j *Job) bool { return j.Now().State != JobRunning })
		s.all = slices.Delete(s.all, n, n+1)
	}
	return nil
}

// Find is the job with this id.
func (s *Jobs) Find(id string) (*Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.all {
		if j.Now().ID == id {
			return j, nil
		}
	}
	return nil, problem.JobUnknown.Got(id)
}

func (s *Jobs) views() []JobView {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []JobView{}
	for _, j := range s.all {
		out = append(out, j.Now())
	}
	return out
}

// JobID names a job.
type JobID struct {
	// ID of the job.
	ID string `path:"id"`
}

func (s *Jobs) list(context.Context, *None) (*List[JobView], error) { return all(s.views()), nil }

func (s *Jobs) get(_ context.Context, in *JobID) (out JobView, err error) {
	j, err := s.Find(in.ID)
	if err != nil {
		return out, err
	}
	return j.Now(), nil
}

func (s *Jobs) stop(_ context.Context, in *JobID) (Nothing, error) {
	j, err := s.Find(in.ID)
	if err == nil {
		j.Cancel()
	}
	return Nothing{}, err
}

// accepted answers that a job has begun.
func accepted(j JobView) Stream {
	return func(c echo.Context) error {
		at := web.Path(c.Request().Context(), "/api/v1/jobs/"+j.ID)
		c.Response().Header().Set(echo.HeaderLocation, at)
		return c.JSON(http.StatusAccepted, j)
	}
}

func (s *Jobs) operations() []Operation {
	job := Example{Path: map[string]string{"id": exampleJob}}
	return of("jobs",
		operation("GET", "/jobs", "listJobs", "List the long commands, oldest first", s.list,
			says("Those under way and the last ones that ended.")),
		operation("GET", "/jobs/:id", "getJob", "Get a job", s.get,
			says("Its state, how far it is, and its result or problem."), refuses(problem.JobUnknown), example(job)),
		operation("DELETE", "/jobs/:id", "cancelJob", "Cancel a job", s.stop,
			says("An import or a scenario is undone, a bulk action stops where it is."),
			refuses(problem.JobUnknown), example(job)),
	)
}
