package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// The open logins are bounded by what the store holds: each has a place in an
// order by its last step, and beside the order stand its figures. A place stays
// until it is taken away, also when the login's own time is over, so that the
// figures are always right; such places are the oldest and go first.

// Place is where a login stands in the order.
type Place struct {
	At      string `json:"at"` // sorts by the time of the last step
	Entered bool   `json:"entered,omitempty"`
	Weight  int    `json:"weight"` // bytes that the login takes
}

// begun are the logins nobody came back to yet; entered those whose browser
// took a step. Who only asks for pages never pushes out those who use them.
var (
	begun   = store.Collection[occupant]("logins-begun")
	entered = store.Collection[occupant]("logins-entered")
	open    = store.Collection[figures]("logins-open")
)

// occupant is whose place it is.
type occupant struct {
	Login string `json:"login"`
	Place Place  `json:"place"`
}

// figures count the places.
type figures struct {
	Begun   int `json:"begun"`
	Entered int `json:"entered"`
	Bytes   int `json:"bytes"`
}

const figuresID = "figures"

func readFigures(tx store.Tx) (figures, error) { return open.Maybe(tx, figuresID) }

func (f figures) all() int { return f.Begun + f.Entered }

// add counts one place more, or with n = -1 one less.
func (f *figures) add(p Place, n int) {
	if p.Entered {
		f.Entered = max(0, f.Entered+n)
	} else {
		f.Begun = max(0, f.Begun+n)
	}
	f.Bytes = max(0, f.Bytes+n*p.Weight)
	if f.all() == 0 {
		f.Bytes = 0 // whatever they were: a state may come from elsewhere
	}
}

func (p Place) order() store.Collection[occupant] {
	if p.Entered {
		return entered
	}
	return begun
}

// Open is how many login pages are open; some of them may have ended of their
// own.
func (l *Logins) Open() int {
	f, _ := open.LoadMaybe(context.Background(), l.Store, figuresID)
	return f.all()
}

// crowded tells that logins may have to go soon.
func (l *Logins) crowded(f figures) bool { return f.all() >= l.Max/2 || f.Bytes >= l.bytes()/2 }

// perLogin is how many bytes a login may take when all are open; one alone may
// take more.
const perLogin, leastBytes = 2 << 10, 1 << 20

func (l *Logins) bytes() int { return max(l.Max*perLogin, leastBytes) }

// full tells that one login of this weight has no room.
func (l *Logins) full(f figures, weight int) bool {
	return f.all() >= l.Max || f.all() > 0 && f.Bytes+weight > l.bytes()
}

// most is how many logins one new login may push out: after max-logins was
// lowered several new ones share the work.
const most = 100

// addIn keeps a new login and takes the place of those who must go: it returns
// them.
func (l *Logins) addIn(tx store.Tx, p *Pending) (out []string, err error) {
	p.Place = newPlace(p, false)
	f, err := readFigures(tx)
	if err == nil {
		err = forgetEnded(tx, &f)
	}
	for n := 0; err == nil && l.full(f, p.Place.Weight) && n < most; n++ {
		var id string
		if id, err = l.dropFirst(tx, &f); id != "" {
			out = append(out, id)
		}
	}
	if err != nil {
		return nil, err
	}
	f.add(*p.Place, 1)
	return out, errors.Join(open.Put(tx, figuresID, f, store.Forever), put(tx, p))
}

// put writes a login with its place.
func put(tx store.Tx, p *Pending) error {
	place := p.Place.order().Put(tx, p.Place.At, occupant{p.ID, *p.Place}, store.Forever)
	return errors.Join(place, pending.Put(tx, p.ID, *p, Lifetime))
}

// newPlace is the last in the order. It is measured on the machine's clock: the
// emulator's is moved by tests.
func newPlace(p *Pending, entered bool) *Place {
	bare := *p
	bare.Place = nil
	raw, _ := json.Marshal(bare)
	return &Place{At: fmt.Sprintf("%020d-%s", time.Now().UnixNano(), p.ID), Entered: entered, Weight: len(raw)}
}

// stepIn writes a login whose person took a step: it is the last to go.
func (l *Logins) stepIn(tx store.Tx, p *Pending) error {
	before := p.Place
	p.Place = newPlace(p, true)
	if before != nil && before.Entered && before.Weight == p.Place.Weight {
		return errors.Join(before.order().Delete(tx, before.At), put(tx, p))
	}
	if err := removePlace(tx, before); err != nil {
		return err
	}
	f, err := readFigures(tx)
	if err != nil {
		return err
	}
	f.add(*p.Place, 1)
	return errors.Join(open.Put(tx, figuresID, f, store.Forever), put(tx, p))
}

// removePlace takes a login out of the order. Logins of earlier versions have
// no place.
func removePlace(tx store.Tx, p *Place) error {
	if p == nil {
		return nil
	}
	f, err := readFigures(tx)
	if err != nil {
		return err
	}
	f.add(*p, -1)
	return errors.Join(p.order().Delete(tx, p.At), open.Put(tx, figuresID, f, store.Forever))
}

// forgetEnded removes the places of logins whose time is over, a few at a time.
func forgetEnded(tx store.Tx, f *figures) error {
	for _, order := range []store.Collection[occupant]{begun, entered} {
		oldest, err := order.List(tx, "", 2)
		if err != nil {
			return err
		}
		for _, o := range oldest {
			_, err := pending.Get(tx, o.Login)
			if err == nil {
				break
			}
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			f.add(o.Place, -1)
			if err := order.Delete(tx, o.Place.At); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropFirst forgets the login that is the first to go, and names it unless its
// time was over. Half of the places are kept for either kind.
func (l *Logins) dropFirst(tx store.Tx, f *figures) (string, error) {
	order, count := entered, &f.Entered
	if f.Begun > l.Max/2 || f.Entered == 0 {
		order, count = begun, &f.Begun
	}
	oldest, err := order.List(tx, "", 1)
	if err != nil {
		return "", err
	}
	if len(oldest) == 0 {
		*count = 0 // the figures were of another state
		return "", nil
	}
	o := oldest[0]
	f.add(o.Place, -1)
	_, err = pending.Get(tx, o.Login)
	ended := errors.Is(err, store.ErrNotFound)
	if err != nil && !ended {
		return "", err
	}
	err = errors.Join(order.Delete(tx, o.Place.At), pending.Delete(tx, o.Login))
	if ended {
		return "", err
	}
	return o.Login, err
}

// dropped remembers the latest logins that had to go, so that their browsers
// hear why. It is a hint: after a restart their pages are merely unknown.
type dropped struct {
	mu    sync.Mutex
	ids   map[string]bool
	order []string
}

const remembered = 4096

func (d *dropped) note(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ids == nil {
		d.ids = map[string]bool{}
	}
	if len(d.order) == remembered {
		delete(d.ids, d.order[0])
		d.order = d.order[1:]
	}
	d.ids[id], d.order = true, append(d.order, id)
}

func (d *dropped) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ids[id]
}
