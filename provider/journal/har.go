package journal

import "time"

// HAR is a login in the HTTP Archive format 1.2, as browsers' tools read it.
func (l *Login) HAR(version string) any {
	entries := []any{}
	var last *Exchange
	for _, e := range l.Events {
		if e.Exchange == nil || e.Exchange.Status == 0 ||
			last != nil && e.Exchange.Time.Equal(last.Time) && e.Exchange.URL == last.URL {
			continue // several events of one request
		}
		last = e.Exchange
		entries = append(entries, harEntry(e, e.Exchange.View()))
	}
	return map[string]any{
		"log": map[string]any{
			"version": "1.2",
			"creator": map[string]any{"name": "pscemu", "version": version},
			"entries": entries,
		},
	}
}

func harEntry(e Event, v View) any {
	request := map[string]any{
		"method":      v.Method,
		"url":         v.URL,
		"httpVersion": "HTTP/1.1",
		"cookies":     []any{},
		"headers":     harPairs(v.Headers),
		"queryString": []any{},
		"headersSize": -1,
		"bodySize":    -1,
	}
	if len(v.Form) > 0 {
		request["postData"] = map[string]any{
			"mimeType": "application/x-www-form-urlencoded",
			"params":   harPairs(v.Form),
		}
	}
	kind := ""
	if len(v.Answer["Content-Type"]) > 0 {
		kind = v.Answer["Content-Type"][0]
	}
	redirect := ""
	if len(v.Answer["Location"]) > 0 {
		redirect = v.Answer["Location"][0]
	}
	response := map[string]any{
		"status":      v.Status,
		"statusText":  "",
		"httpVersion": "HTTP/1.1",
		"cookies":     []any{},
		"headers":     harPairs(v.Answer),
		"redirectURL": redirect,
		"headersSize": -1,
		"bodySize":    len(v.Body),
		"content":     map[string]any{"size": len(v.Body), "mimeType": kind, "text": v.Body},
	}
	comment := string(e.Kind)
	if e.Code != "" {
		comment += ": " + e.Code
	}
	return map[string]any{
		"startedDateTime": v.Time.Format(time.RFC3339Nano),
		"time":            v.Millis,
		"request":         request,
		"response":        response,
		"cache":           map[string]any{},
		"timings":         map[string]any{"send": 0, "wait": v.Millis, "receive": 0},
		"comment":         comment,
	}
}

func harPairs(values map[string][]string) []any {
	out := []any{}
	for name, list := range values {
		for _, v := range list {
			out = append(out, map[string]any{"name": name, "value": v})
		}
	}
	return out
}
