package api

import (
	"context"
	"testing"
)

func TestAJobThatPanicsFailsAlone(t *testing.T) {
	j := &Job{view: JobView{What: "import"}}
	_, err := j.do(context.Background(), func(context.Context, *Job) (any, error) {
		panic("a mistake")
	})
	if err == nil {
		t.Error("the panic of a job is no failure of it")
	}
}
