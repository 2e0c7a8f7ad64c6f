package console

import (
	"context"
	"testing"
)

func TestAJobThatPanicsFailsAlone(t *testing.T) {
	j := &job{view: jobView{What: "import"}}
	_, err := j.do(context.Background(), func(context.Context, *job) (any, error) {
		panic("a mistake")
	})
	if err == nil {
		t.Error("the panic of a job is no failure of it")
	}
}
