package wire

import (
	"strings"
	"testing"
)

func TestEveryAnswerOfTheTableHasItsOwnKeyAndKeepsToTheCharactersOfOAuth(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Answers {
		if seen[a.Key] {
			t.Errorf("twice: %s", a.Key)
		}
		seen[a.Key] = true
		if strings.ContainsAny(a.Text, "\"\\\n") || a.Status == 0 || a.When == "" || a.Endpoint == "" {
			t.Errorf("%+v", a)
		}
	}
}
