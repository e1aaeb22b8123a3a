package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// post sends a JSON body to be taken in.
func (w *world) post(host, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	return w.send(http.MethodPost, host, path, token, body, headers...)
}

// send sends a JSON body.
func (w *world) send(method, host, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
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
		{"localhost", "/api/v1/system/schools/", w.key, `{"name":"Ash","code":"ash","admin":{"email":"ada@example.org","full_name":"Ada"}}`},
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

// TestLoggingInIsNeverKept holds that an Idempotency-Key brings nobody tokens that were given before.
func TestLoggingInIsNeverKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(host, path, body string, status int, field string) string {
		t.Helper()
		answer := w.post(host, path, w.key, body, "Idempotency-Key", "one"+path)
		var content map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &content); err != nil || answer.Code != status || answer.Header().Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s%s: %d %v %s", host, path, answer.Code, answer.Header(), answer.Body)
		}
		if status >= 400 {
			return ""
		}
		return content[field].(string)
	}
	const system = "/api/v1/system/"
	send("localhost", system+"operators/", `{"email":"ada@example.org","full_name":"Ada","role":"owner","password":"a walk along the river"}`, 201, "id")
	login := `{"email":"ada@example.org","password":"a walk along the river"}`
	first, second := send("localhost", system+"auth/login/", login, 200, "refresh_token"), send("localhost", system+"auth/login/", login, 200, "refresh_token")
	if first == second {
		t.Error("two logins are one")
	}
	send("localhost", system+"auth/refresh/", `{"refresh_token":"`+first+`"}`, 200, "refresh_token")
	send("localhost", system+"auth/refresh/", `{"refresh_token":"`+first+`"}`, 401, "")

	token := send("localhost", system+"schools/", `{"name":"Elm","code":"elm","admin":{"email":"ada@example.org","full_name":"Ada"}}`, 201, "admin_invite")
	accept := `{"token":"` + token + `","password":"a walk along the river"}`
	send("elm.test", "/api/v1/auth/accept-invite/", accept, 200, "refresh_token")
	send("elm.test", "/api/v1/auth/accept-invite/", accept, 422, "")
}
