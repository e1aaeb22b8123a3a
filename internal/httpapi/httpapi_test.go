package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// logBuffer is a log that several requests write to.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// world is a running service with one school, oak.
type world struct {
	registry *tenancy.Registry
	handler  *httpapi.Handler
	platform *platform.Platform
	tokens   *auth.Tokens
	key      string
	log      *logBuffer
	ready    error
}

func newWorld(t *testing.T, change ...func(*httpapi.Settings)) *world {
	t.Helper()
	return worldOf(t, testkit.Registry(t), change...)
}

func worldOf(t *testing.T, registry *tenancy.Registry, change ...func(*httpapi.Settings)) *world {
	t.Helper()
	w := &world{registry: registry, log: &logBuffer{}}
	w.platform = platform.New(w.registry, testkit.Tenant(t), platform.Settings{BaseDomain: "test", PublicHosts: []string{"localhost", "127.0.0.1"}, TenantRoles: true}, time.Now)
	tokens, err := auth.NewTokens(make([]byte, 32), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens
	if _, w.key, err = w.platform.CreateKey(t.Context(), platform.Shell, platform.NewKey{Name: "test", Role: auth.RoleOwner}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Oak", Code: "oak"}); err != nil {
		t.Fatal(err)
	}
	settings := httpapi.Settings{
		PublicHosts: []string{"localhost", "127.0.0.1"}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Version: "test", Log: zerolog.New(w.log), Ready: func(context.Context) error { return w.ready },
	}
	for _, c := range change {
		c(&settings)
	}
	desk := &auth.Desk{Tokens: tokens, Passwords: auth.NewPasswords()}
	w.handler = httpapi.New(settings, w.registry, systemapi.Service{Platform: w.platform, Public: w.registry.Public(), Watcher: platform.NewWatcher(w.platform), Desk: desk, Now: time.Now})
	return w
}

// ask sends a request from the address given, 203.0.113.9 if none is.
func (w *world) ask(method, host, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host, r.RemoteAddr = host, "203.0.113.9:4711"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "from" {
			r.RemoteAddr = headers[i+1] + ":4711"
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

func TestHostDecidesWhoAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	system, bearer := "/api/v1/system/schools/", "Bearer "+w.key
	for _, c := range []struct {
		host, path string
		headers    []string
		status     int
		contains   string
	}{
		{"localhost", system, []string{"Authorization", bearer}, 200, `"code":"oak"`},
		{"LOCALHOST.:8080", system, []string{"Authorization", bearer}, 200, `"code":"oak"`},
		{"localhost", system, nil, 401, `"code":"unauthenticated"`},
		{"oak.test", system, []string{"Authorization", bearer}, 404, `"code":"not-found"`},
		{"oak.test", "/api/v1/students/", []string{"Authorization", bearer}, 401, `"code":"unauthenticated"`},
		{"Oak.Test.:80", "/api/v1/students/", nil, 401, `"code":"unauthenticated"`},
		{"localhost", "/api/v1/students/", []string{"Authorization", bearer}, 404, `"code":"not-found"`},
		{"elm.test", "/api/v1/students/", nil, 404, `"code":"unknown-host"`},
		{"elm.test", "/nothing", nil, 404, `"code":"unknown-host"`},
		{"", "/", nil, 404, `"code":"unknown-host"`},
		{"a b", "/", nil, 404, `"code":"unknown-host"`},
		{"oak.test", "/", nil, 303, ""},
		{"localhost", "/openapi.json", nil, 200, "homeroom system API"},
		{"oak.test", "/openapi.json", nil, 200, "homeroom tenant API"},
		{"elm.test", "/healthz", nil, 200, "ok"},
		{"elm.test", "/readyz", nil, 200, "ok"},
		// Only a trusted proxy may say which host was meant, and only the nearest is heard.
		{"oak.test", system, []string{"Authorization", bearer, "X-Forwarded-Host", "localhost"}, 404, `"code":"not-found"`},
		{"proxy", system, []string{"from", "10.1.2.3", "Authorization", bearer, "X-Forwarded-Host", "evil.test, localhost"}, 200, `"code":"oak"`},
	} {
		answer := w.ask(http.MethodGet, c.host, c.path, c.headers...)
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.contains) {
			t.Errorf("%q %s %v: %d %s", c.host, c.path, c.headers, answer.Code, answer.Body)
		}
		if answer.Code >= 400 && answer.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q %s: %v", c.host, c.path, answer.Header())
		}
	}
}

func TestSchoolOffTheAir(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	oak, err := w.platform.SchoolByCode(t.Context(), "oak")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql      string
		status   int
		contains string
	}{
		{"UPDATE clients SET is_active = false", 403, "school-inactive"},
		{"UPDATE clients SET is_active = true, state = 'moving'", 503, "school-unavailable"},
		{"UPDATE clients SET state = 'deleted', deleted_at = now()", 404, "unknown-host"},
		{"UPDATE clients SET state = 'ready', deleted_at = NULL", 401, "unauthenticated"},
	} {
		if _, err := w.registry.Public().ExecContext(t.Context(), c.sql+" WHERE id = $1", oak.ID); err != nil {
			t.Fatal(err)
		}
		answer := w.ask(http.MethodGet, "oak.test", "/api/v1/students/")
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.contains) {
			t.Errorf("%s: %d %s", c.sql, answer.Code, answer.Body)
		}
		if c.status == 503 && answer.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

func TestOneLogLineARequestWithNothingPersonal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask(http.MethodGet, "oak.test", "/api/v1/students/?search=Amina%20Bello", "Authorization", "Bearer secret-token", "X-Request-Id", "abc-1", "Cookie", "secret-cookie")
	w.ask(http.MethodGet, "localhost", "/api/v1/system/schools/018f0000-0000-7000-8000-000000000000/", "Authorization", "Bearer "+w.key)
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), w.log)
	}
	want := []map[string]any{
		{"request_id": "abc-1", "host": "oak.test", "school": "oak", "method": "GET", "route": "/api/v1/students/", "status": 401.0, "level": "info", "message": "request"},
		{"host": "localhost", "method": "GET", "route": "/api/v1/system/schools/{id}/", "status": 404.0, "level": "info", "message": "request"},
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		for name, value := range want[i] {
			if got[name] != value {
				t.Errorf("line %d: %s is %v, not %v", i, name, got[name], value)
			}
		}
		if got["duration_ms"] == nil {
			t.Errorf("line %d has no duration", i)
		}
	}
	for _, secret := range []string{"Amina", "secret", w.key, "203.0.113.9"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

func TestClientAddressReachesTheAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ from, forwarded, want string }{
		{"203.0.113.9", "198.51.100.1", "203.0.113.9"},
		{"10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"10.1.2.3", "127.0.0.1, 198.51.100.2", "198.51.100.2"},
		{"10.1.2.3", "garbage", "10.1.2.3"},
		{"10.1.2.3", "", "10.1.2.3"},
	} {
		answer := w.ask(http.MethodDelete, "localhost", "/api/v1/system/schools/"+w.schoolID(t)+"/", "from", c.from, "X-Forwarded-For", c.forwarded, "Authorization", "Bearer "+w.key)
		if answer.Code != 204 {
			t.Fatal(answer.Code, answer.Body)
		}
		events, err := w.registry.Public().AuditEvent.Query().All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var last string
		for _, e := range events {
			if e.Action == "school.delete" {
				last = *e.Address
			}
		}
		if last != c.want {
			t.Errorf("%+v: %s", c, last)
		}
		if w.ask(http.MethodPost, "localhost", "/api/v1/system/schools/"+w.schoolID(t)+"/restore/", "Authorization", "Bearer "+w.key).Code != 200 {
			t.Fatal("not restored")
		}
	}
}

func (w *world) schoolID(t *testing.T) string {
	t.Helper()
	oak, err := w.platform.SchoolByCode(t.Context(), "oak")
	if err != nil {
		t.Fatal(err)
	}
	return oak.ID.String()
}

func TestProbes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ready = errors.New("relation clients does not exist")
	answer := w.ask(http.MethodGet, "any", "/readyz")
	if answer.Code != 500 || strings.Contains(answer.Body.String(), "clients") {
		t.Error(answer.Code, answer.Body)
	}
	if answer := w.ask(http.MethodGet, "any", "/healthz"); answer.Code != 200 {
		t.Error(answer.Code)
	}
	if answer := w.ask(http.MethodPost, "any", "/healthz"); answer.Code != 405 || answer.Header().Get("Allow") != "GET, HEAD" {
		t.Error(answer.Code, answer.Header())
	}
}

// A request in flight finishes, those that still come are answered, /readyz says no; then Serve
// returns.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- httpapi.Serve(ctx, listener, w.handler, 10*time.Second) }()

	// A body that does not end keeps the request in flight.
	body, more := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, url+"/api/v1/system/schools/", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.key)
	request.Header.Set("Content-Type", "application/json")
	answered := make(chan *http.Response, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request) //nolint:bodyclose // closed below
		if err != nil {
			t.Error(err)
		}
		answered <- answer
	}()
	if _, err := more.Write([]byte(`{"name":"Elm",`)); err != nil { // returns once the client has sent it
		t.Fatal(err)
	}
	eventually(t, func() bool { return w.handler.InFlight() == 1 })
	stop()
	eventually(t, func() bool { return get(t, url+"/readyz") == 503 })
	if status := get(t, url+"/openapi.json"); status != 200 {
		t.Errorf("while draining: %d", status)
	}
	if _, err := more.Write([]byte(`"code":"elm"}`)); err != nil {
		t.Fatal(err)
	}
	_ = more.Close()
	answer := <-answered
	if answer == nil || answer.StatusCode != http.StatusCreated {
		t.Errorf("the request in flight: %+v", answer)
	}
	_ = answer.Body.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handler.ReplaceSystem(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") }))
	answer := w.ask(http.MethodGet, "localhost", "/")
	if body := answer.Body.String(); answer.Code != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "secret") {
		t.Error(answer.Code, body)
	}
	if log := w.log.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, `"status":500`) {
		t.Error(log)
	}
	// Once half an answer is out, the connection is cut: the client must not take it for a whole.
	w.handler.ReplaceSystem(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("later")
	}))
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // what net/http compares
			t.Error("the connection was not cut")
		}
		if log := w.log.String(); !strings.Contains(log, "later") {
			t.Error(log)
		}
	}()
	w.ask(http.MethodGet, "localhost", "/")
}
