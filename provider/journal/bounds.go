package journal

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"pscemu.invalid/pscemu/internal/problem"
)

// What one request may leave in the journal is bounded: long values are cut,
// with a word about what is missing, and each byte that stays is counted.
const (
	maxDetail = 2 << 10 // of a detail of an event
	maxValue  = 8 << 10 // of a header, a parameter, an address
	maxValues = 100     // headers or parameters of an exchange
)

// cut shortens a text, between two characters. It is always a copy: what was
// parsed from a request is a part of it, and would keep the whole in memory.
func cut(s string, most int) string {
	if len(s) <= most {
		return strings.Clone(s)
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "… (" + strconv.Itoa(len(s)-end) + " bytes more)"
}

func bounded(detail map[string]string) map[string]string {
	if detail == nil {
		return nil
	}
	out := make(map[string]string, len(detail))
	for k, v := range detail {
		out[strings.Clone(k)] = cut(v, maxDetail)
	}
	return out
}

func boundedProblem(p *problem.Error) *problem.Error {
	return p.Map(func(s string) string { return cut(s, maxDetail) })
}

func (e *Event) size() int {
	n := 300 + len(e.Code) + len(e.Reason)
	if e.Problem != nil {
		n += e.Problem.Size()
	}
	for k, v := range e.Detail {
		n += len(k) + len(v) + 40
	}
	return n
}

// boundedValues are a copy of headers or parameters, without those that are too
// many and the ends of those that are too long.
func boundedValues(values map[string][]string) map[string][]string {
	if values == nil {
		return nil
	}
	out := make(map[string][]string, min(len(values), maxValues))
	for k, list := range values {
		if len(out) == maxValues {
			break
		}
		short := make([]string, 0, min(len(list), maxValues))
		for _, v := range list[:min(len(list), maxValues)] {
			short = append(short, cut(v, maxValue))
		}
		out[cut(k, maxDetail)] = short
	}
	return out
}

// bound cuts what is long, and more when the login would take more than its
// share of the journal.
func (x *Exchange) bound(room int) {
	x.URL = cut(x.URL, maxValue)
	x.Header, x.Answer = boundedValues(x.Header), boundedValues(x.Answer)
	x.Form = boundedValues(x.Form)
	if x.size() > room {
		x.Header, x.Form, x.Answer, x.Body, x.Certificate = http.Header{}, url.Values{}, http.Header{}, nil, nil
		x.URL = cut(x.URL, 256)
	}
}
