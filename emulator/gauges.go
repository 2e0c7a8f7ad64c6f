package emulator

import "pscemu.invalid/pscemu/internal/store"

// gauges are what a world can be asked for at any moment.
func (e *Emulator) gauges() {
	e.metrics.Gauge("pscemu_journal_logins", func() float64 { return float64(e.journal.Len()) })
	e.metrics.Gauge("pscemu_login_pages_open", func() float64 { return float64(e.logins.Open()) })
	if s, ok := e.store.(interface{ Figures() store.Figures }); ok {
		e.metrics.Gauge("pscemu_store_used_bytes", func() float64 { return float64(s.Figures().Used) })
		e.metrics.Gauge("pscemu_store_file_bytes", func() float64 { return float64(s.Figures().File) })
		e.metrics.Counter("pscemu_store_commits_total", func() uint64 { return s.Figures().Commits })
		e.metrics.Counter("pscemu_store_updates_total", func() uint64 { return s.Figures().Updates })
	}
}
