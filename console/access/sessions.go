package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"
)

// A console session ends when it was not used for sessionIdle, and at the
// latest sessionLife after it began.
const (
	sessionIdle = 12 * time.Hour
	sessionLife = 7 * 24 * time.Hour
	// maxSessions bounds what visitors can make it keep; the one that was not
	// used for the longest time goes first.
	maxSessions = 4096
)

// maxTries is how many wrong tokens the page for it takes at once; each
// tryAgain gives one back. Opening by link does not count: nobody locks out
// who holds the link.
const (
	maxTries = 10
	tryAgain = 6 * time.Second
)

// sessions are the browsers that opened this world's console, and the link
// that opens it once. They lie in memory and end with the process. Their time
// is the machine's: a test that moves the emulator's clock by a year throws
// nobody out, and a frozen clock keeps nobody in.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	all   map[[sha256.Size]byte]*session // by the hash of what the cookie holds
	link  string
	tries int       // wrong tokens that still count
	tried time.Time // up to when they were given back
}

type session struct {
	made, used time.Time
	user       string // of the machine, as far as the system tells; see peer
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[sha256.Size]byte]*session{}, link: rand.Text(), tried: now()}
}

// begin makes a session and returns what its cookie holds.
func (s *sessions) begin(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, now := rand.Text(), s.now()
	if len(s.all) >= maxSessions {
		s.makeRoom(now)
	}
	s.all[sha256.Sum256([]byte(value))] = &session{made: now, used: now, user: user}
	return value
}

// makeRoom forgets the sessions that have ended, or else the idlest.
func (s *sessions) makeRoom(now time.Time) {
	var idlest [sha256.Size]byte
	oldest := now
	for key, one := range s.all {
		if one.ended(now) {
			delete(s.all, key)
		} else if !one.used.After(oldest) {
			idlest, oldest = key, one.used
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, idlest)
	}
}

func (one *session) ended(now time.Time) bool {
	return now.Sub(one.used) > sessionIdle || now.Sub(one.made) > sessionLife
}

// holds tells whether a cookie's value is a session of this user, and notes
// its use. The value itself is never compared: its hash is looked up.
func (s *sessions) holds(value string, user func() string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, now := sha256.Sum256([]byte(value)), s.now()
	one := s.all[key]
	if one == nil {
		return false
	}
	if one.ended(now) {
		delete(s.all, key)
		return false
	}
	if one.user != "" && one.user != user() {
		return false
	}
	one.used = now
	return true
}

// current is the link's secret.
func (s *sessions) current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// takeLink uses the link up; of two uses the second fails. A new one takes its
// place.
func (s *sessions) takeLink(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subtle.ConstantTimeCompare([]byte(secret), []byte(s.link)) != 1 {
		return false
	}
	s.link = rand.Text()
	return true
}

// try looks at a token, unless too many wrong ones came: then it tells how long
// to wait.
func (s *sessions) try(right func() bool) (ok bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	back := int(now.Sub(s.tried) / tryAgain)
	s.tried = s.tried.Add(time.Duration(back) * tryAgain)
	if s.tries = max(0, s.tries-back); s.tries >= maxTries {
		return false, s.tried.Add(tryAgain).Sub(now)
	}
	if right() {
		return true, 0
	}
	s.tries++
	return false, 0
}
