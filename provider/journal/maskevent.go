package journal

import "pscemu.invalid/pscemu/internal/problem"

// masker knows what the request shows to be secret; a form that was not read
// yet is not read for it.
func (r *recording) masker() *masker {
	m := &masker{}
	if r != nil && r.request != nil {
		m.learnFrom(&Exchange{URL: r.request.URL.String(), Header: r.request.Header, Form: r.request.PostForm})
	}
	return m
}

// maskDetail keeps secrets out of what an event tells: part of that is input.
func (r *recording) maskDetail(detail map[string]string) map[string]string {
	var out map[string]string
	for name, value := range detail {
		if masked := MaskText(value); masked != value {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = masked
		}
	}
	if out == nil {
		return detail
	}
	for name, value := range detail {
		if _, there := out[name]; !there {
			out[name] = value
		}
	}
	return out
}

// maskProblem is the refusal without the secrets of the request that it quotes.
func (r *recording) maskProblem(p *problem.Error) *problem.Error {
	m := r.masker()
	masked := p.Map(m.text)
	if m.knows(masked.Received) {
		masked.Received = Mask(masked.Received)
	}
	return masked
}
