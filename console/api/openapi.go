package api

import (
	"net/http"
	"regexp"
	"strings"
)

var pathParam = regexp.MustCompile(`:(\w+)`)

// paging are the parameters of every list that may be long. Its answer is
// {"items": […], "next": "…"}; next is "" when nothing follows.
var paging = []map[string]any{
	{
		"name":        "limit",
		"in":          "query",
		"description": "rows of a page; more than the maximum gives the maximum, and next goes on",
		"schema":      map[string]any{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit},
	},
	{
		"name":        "after",
		"in":          "query",
		"description": "what next said on the page before",
		"schema":      map[string]any{"type": "string"},
	},
}

// OpenAPI describes the control API (OpenAPI 3.1), from the table of routes.
func (a *API) OpenAPI() map[string]any {
	paths := map[string]map[string]any{}
	for _, r := range a.routes() {
		path := pathParam.ReplaceAllString(r.Path, "{$1}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		var params []map[string]any
		for _, m := range pathParam.FindAllStringSubmatch(r.Path, -1) {
			params = append(
				params,
				map[string]any{
					"name":        m[1],
					"in":          "path",
					"required":    true,
					"schema":      map[string]any{"type": "string"},
					"description": "percent-encoded",
				},
			)
		}
		if strings.Contains(r.Summary, "?limit&after") {
			params = append(params, paging...)
		}
		op := map[string]any{
			"summary": r.Summary,
			"responses": map[string]any{
				"2XX":     map[string]any{"description": "done"},
				"default": map[string]any{"description": "problem details (RFC 9457)"},
			},
		}
		if params != nil {
			op["parameters"] = params
		}
		if r.Method != http.MethodGet && r.Method != http.MethodDelete {
			op["requestBody"] = map[string]any{
				"content": map[string]any{
					"application/json": map[string]any{"schema": map[string]any{"type": "object"}},
				},
			}
		}
		paths[path][strings.ToLower(r.Method)] = op
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "pscemu control API", "version": a.Version},
		"servers": []any{
			map[string]any{"url": a.URL + "/api/v1"},
		},
		"security": []any{map[string]any{"token": []any{}}},
		"paths":    paths,
		"components": map[string]any{
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	}
}
