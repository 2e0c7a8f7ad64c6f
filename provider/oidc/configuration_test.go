package oidc

import (
	"context"
	"sync"
	"testing"
)

// The race detector finds what a first use would fill in.
func TestRequestsShareAConfigurationThatNoneOfThemChanges(t *testing.T) {
	c, ctx := configuration(nil), context.Background()
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			if c.GetAudienceStrategy(ctx) == nil || c.GetScopeStrategy(ctx) == nil || c.GetSecretsHasher(ctx) == nil {
				t.Error("a part is missing")
			}
		})
	}
	work.Wait()
}
