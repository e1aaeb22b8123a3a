package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/httpapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
)

// limitedOf counts how many of twenty requests are refused for their number.
func (w *world) limitedOf(t *testing.T, host, path string, headers ...string) (n int) {
	t.Helper()
	for range 20 {
		answer := w.ask(http.MethodGet, host, path, headers...)
		if answer.Code == http.StatusTooManyRequests {
			n++
			if answer.Header().Get("Retry-After") != "1" || !strings.Contains(answer.Body.String(), `"code":"rate-limited"`) {
				t.Errorf("%v %s", answer.Header(), answer.Body)
			}
		}
	}
	return n
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *httpapi.Settings) { s.Limits = ratelimit.New(2, 2) })
	const schools, students = "/api/v1/system/schools/", "/api/v1/students/"
	key, token := "Bearer "+w.key, "Bearer "+w.tokenOf(t, "oak")
	const some, none = true, false
	for _, c := range []struct {
		name, host, path string
		headers          []string
		limited          bool
	}{
		{"a key", "localhost", schools, []string{"Authorization", key}, some},
		{"the same key from elsewhere", "localhost", schools, []string{"Authorization", key, "from", "203.0.113.10"}, some},
		{"a token of a school", "oak.test", students, []string{"Authorization", token}, some},
		{"nobody, though somebody from there came before", "localhost", schools, nil, some},
		{"nobody, from elsewhere", "localhost", "/docs/", []string{"from", "203.0.113.11"}, some},
		{"a bad key", "localhost", schools, []string{"Authorization", "Bearer hr_x_y", "from", "203.0.113.12"}, some},
		{"a bad token", "oak.test", students, []string{"Authorization", "Bearer x", "from", "203.0.113.13"}, some},
		{"a credential at no school's host", "nobody.test", students, []string{"Authorization", token, "from", "203.0.113.14"}, some},
		{"a credential at no path", "oak.test", "/api/v1/nothing/", []string{"Authorization", token, "from", "203.0.113.15"}, some},
		{"a credential at a path that is not clean", "oak.test", "/api/v1//students/", []string{"Authorization", token, "from", "203.0.113.16"}, some},
		{"a credential with a method that the path does not take", "localhost", "/api/v1/system/auth/login/", []string{"Authorization", key, "from", "203.0.113.17"}, some},
		{"a credential where none is looked at", "localhost", "/docs", []string{"Authorization", key, "from", "203.0.113.18"}, some},
		{"the same", "oak.test", "/openapi.json", []string{"Authorization", token, "from", "203.0.113.19"}, some},
		{"who forges an address", "oak.test", "/", []string{"X-Forwarded-For", "198.51.100.1", "from", "203.0.113.9"}, some},
		{"the machine itself", "oak.test", "/", []string{"from", "127.0.0.1"}, none},
		{"a probe", "localhost", "/healthz", nil, none},
	} {
		if n := w.limitedOf(t, c.host, c.path, c.headers...); (n > 10) != c.limited || !c.limited && n > 0 {
			t.Errorf("%s: %d limited", c.name, n)
		}
	}
	// Logins count whatever they bring along.
	for host, path := range map[string]string{"localhost": "/api/v1/system/auth/login/", "oak.test": "/api/v1/auth/login/"} {
		n := 0
		for range 20 {
			if w.post(host, path, w.key, `{}`).Code == http.StatusTooManyRequests {
				n++
			}
		}
		if n <= 10 {
			t.Errorf("%s%s: %d limited", host, path, n)
		}
	}
	// Behind a trusted proxy each client has its own address.
	for _, client := range []string{"198.51.100.2", "198.51.100.3", "198.51.100.4"} {
		if answer := w.ask(http.MethodGet, "oak.test", "/", "from", "10.1.2.3", "X-Forwarded-For", client); answer.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", client, answer.Code)
		}
	}
}
