package store

import (
	"context"
	"strings"
	"sync"
)

// watchers hear of the keys that were committed.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]struct{}
}

type watcher struct {
	prefix string
	keys   chan string
}

// Watch reports the keys below prefix that change.
func (s *watchers) Watch(ctx context.Context, prefix string) <-chan string {
	w := &watcher{prefix: prefix, keys: make(chan string, 64)}
	s.mu.Lock()
	if s.all == nil {
		s.all = map[*watcher]struct{}{}
	}
	s.all[w] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, w)
		close(w.keys)
	})
	return w.keys
}

func (s *watchers) notify(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		for _, k := range keys {
			if !strings.HasPrefix(k, w.prefix) {
				continue
			}
			w.hint(k)
		}
	}
}

// notifyAll tells every watcher that whatever it watches may have changed.
func (s *watchers) notifyAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		w.hint(w.prefix)
	}
}

func (w *watcher) hint(key string) {
	select {
	case w.keys <- key:
	default: // the reader has hints enough to read again
	}
}
