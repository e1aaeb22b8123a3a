package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/httpapi"
)

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *httpapi.Settings) {
		s.CORSOrigins = []string{"https://console.example", "http://localhost:5173"}
	})
	const students, console, evil = "/api/v1/students/", "https://console.example", "https://console.example.evil.test"
	preflight := func(origin, method, headers string) []string {
		return []string{"Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers}
	}
	wanted := "authorization,content-type,idempotency-key,if-match,if-none-match,last-event-id,prefer,x-request-id"
	for _, c := range []struct {
		method, host, path string
		headers            []string
		status             int
		allowed            bool
	}{
		{"OPTIONS", "oak.test", students, preflight(console, "PATCH", wanted), 204, true},
		{"OPTIONS", "oak.test", students, preflight("http://localhost:5173", "DELETE", "authorization"), 204, true},
		{"OPTIONS", "localhost", "/api/v1/system/schools/", preflight(console, "POST", "authorization"), 204, true},
		{"OPTIONS", "oak.test", students, preflight(evil, "GET", "authorization"), 204, false},
		{"OPTIONS", "oak.test", students, preflight("null", "GET", "authorization"), 204, false},
		{"OPTIONS", "oak.test", students, preflight("http://console.example", "GET", "authorization"), 204, false},
		{"OPTIONS", "oak.test", students, preflight(console+":8443", "GET", "authorization"), 204, false},
		{"OPTIONS", "oak.test", students, preflight(console, "GET", "x-other"), 204, false},
		{"OPTIONS", "oak.test", students, preflight(console, "CONNECT", "authorization"), 204, false},
		{"OPTIONS", "oak.test", students, []string{"Origin", console}, 405, true}, // no preflight
		{"GET", "oak.test", students, []string{"Origin", console}, 401, true},
		{"GET", "oak.test", "/nothing/", []string{"Origin", console}, 404, true},
		{"GET", "oak.test", students, []string{"Origin", evil}, 401, false},
		{"GET", "oak.test", students, nil, 401, false},
		{"GET", "oak.test", "/docs/swagger-ui.js", []string{"Origin", console}, 200, true},
	} {
		answer := w.ask(c.method, c.host, c.path, c.headers...)
		header := answer.Header()
		origin := header.Get("Access-Control-Allow-Origin")
		if answer.Code != c.status || (origin != "") != c.allowed || origin != "" && origin != c.headers[1] {
			t.Errorf("%s %s %v: %d %v", c.method, c.path, c.headers, answer.Code, header)
		}
		if !strings.Contains(strings.Join(header["Vary"], ", "), "Origin") || header.Get("X-Request-Id") == "" || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s %v: %v", c.method, c.path, c.headers, header)
		}
		switch {
		case origin == "":
			if len(header["Access-Control-Allow-Headers"])+len(header["Access-Control-Expose-Headers"]) > 0 {
				t.Errorf("%v: %v", c.headers, header)
			}
		case c.status == 204:
			if header.Get("Access-Control-Max-Age") != "7200" || header.Get("Access-Control-Allow-Methods") != c.headers[3] || header.Get("Access-Control-Allow-Headers") != c.headers[5] {
				t.Errorf("%v: %v", c.headers, header)
			}
		default:
			for _, name := range []string{"Etag", "Link", "Location", "X-Request-Id", "Retry-After", "Idempotency-Replayed", "Preference-Applied"} {
				if !strings.Contains(header.Get("Access-Control-Expose-Headers"), name) {
					t.Errorf("%s is not exposed: %v", name, header)
				}
			}
		}
	}
}

// TestNoCrossOrigin holds that nothing is allowed unless it was asked for.
func TestNoCrossOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answer := w.ask(http.MethodOptions, "oak.test", "/api/v1/students/", "Origin", "https://console.example", "Access-Control-Request-Method", "GET")
	if answer.Code != 405 || answer.Header().Get("Access-Control-Allow-Origin") != "" || strings.Contains(answer.Header().Get("Vary"), "Origin") {
		t.Error(answer.Code, answer.Header())
	}
}
