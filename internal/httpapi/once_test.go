package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// post sends a JSON body.
func (w *world) post(host, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = host, "203.0.113.9:4711"
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// tokenOf returns a token of an admin of a school.
func (w *world) tokenOf(t *testing.T, code string) string {
	t.Helper()
	row, err := w.platform.SchoolByCode(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := w.tokens.ForSchool(row.ID, auth.Principal{Name: "user:1", Role: auth.RoleAdmin}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestOnce holds that both APIs heed an Idempotency-Key, a school as its own PostgreSQL role, and that a
// key of one school means nothing in another.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Elm", Code: "elm"}); err != nil {
		t.Fatal(err)
	}
	student := `{"admission_number":"1","first_name":"Amina","last_name":"Okafor"}`
	bodies := map[string]bool{}
	for _, c := range []struct{ host, path, token, body string }{
		{"localhost", "/api/v1/system/schools/", w.key, `{"name":"Ash","code":"ash"}`},
		{"localhost", "/api/v1/system/api-keys/", w.key, `{"name":"x","role":"viewer"}`},
		{"oak.test", "/api/v1/students/", w.tokenOf(t, "oak"), student},
		{"elm.test", "/api/v1/students/", w.tokenOf(t, "elm"), student},
	} {
		key := []string{"Idempotency-Key", "k" + c.path}
		first := w.post(c.host, c.path, c.token, c.body, key...)
		again := w.post(c.host, c.path, c.token, c.body, key...)
		if first.Code != 201 || again.Code != 201 || first.Body.String() != again.Body.String() || bodies[first.Body.String()] ||
			again.Header().Get("Location") != first.Header().Get("Location") || again.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s%s: %d %s, then %d %s", c.host, c.path, first.Code, first.Body, again.Code, again.Body)
		}
		bodies[first.Body.String()] = true
		if other := w.post(c.host, c.path, c.token, c.body[:len(c.body)-1]+" }", key...); other.Code != 422 {
			t.Errorf("%s%s with another body: %d %s", c.host, c.path, other.Code, other.Body)
		}
	}
}
