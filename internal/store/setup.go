package store

// Option is one of OpenBolt and NewMemory.
type Option func(*setup)

// setup is what a backend is opened with.
type setup struct {
	most   int64
	budget *Budget
}

func newSetup(with []Option) (s setup) {
	for _, o := range with {
		o(&s)
	}
	return s
}

// Limit bounds the bytes in use: what would add to more is refused.
func Limit(bytes int64) Option { return func(s *setup) { s.most = bytes } }

// Within bounds the bytes that several stores in memory use together.
func Within(b *Budget) Option { return func(s *setup) { s.budget = b } }

// share is the budget of a store in memory.
func (s setup) share() *Budget {
	if s.budget != nil {
		return s.budget
	}
	return NewBudget(s.most)
}
