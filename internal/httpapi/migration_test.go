package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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

// changing is a school of the world whose tables change while it is used.
type changing struct {
	*world
	token   string
	answers sync.Map // status -> *atomic.Int64
}

func (m *changing) send(t *testing.T, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, "/api/v1/"+path, strings.NewReader(body))
	r.Host = "oak.test"
	r.Header.Set("Authorization", "Bearer "+m.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	m.handler.ServeHTTP(answer, r)
	count, _ := m.answers.LoadOrStore(answer.Code, new(atomic.Int64))
	count.(*atomic.Int64).Add(1)
	if answer.Code >= 300 && (answer.Code != http.StatusPreconditionFailed || len(headers) == 0) {
		t.Errorf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return answer
}

// While the tables of a school that is in use are changed again and again, columns' types included, no
// request fails for it.
func TestRequestsOutliveMigrations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	oak, err := w.platform.SchoolByCode(t.Context(), "oak")
	if err != nil {
		t.Fatal(err)
	}
	m := &changing{world: w}
	if m.token, _, err = w.tokens.ForSchool(oak.ID, auth.Principal{Name: "user:admin", Role: auth.RoleAdmin}, time.Hour); err != nil {
		t.Fatal(err)
	}
	var one struct{ ID string }
	made := m.send(t, http.MethodPost, "students/", `{"admission_number": "0", "first_name": "Amina", "last_name": "Okafor"}`)
	if err := json.Unmarshal(made.Body.Bytes(), &one); err != nil || t.Failed() {
		t.Fatal(err)
	}
	path := "students/" + one.ID + "/"
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Second)
	defer stop()
	var users sync.WaitGroup
	for worker := range 6 {
		users.Go(func() {
			for i := 1; ctx.Err() == nil && !t.Failed(); i++ {
				got := m.send(t, http.MethodGet, path, "")
				m.send(t, http.MethodGet, "students/?limit=3&search=ami&sort=-last_name", "")
				m.send(t, http.MethodPost, "students/", fmt.Sprintf(`{"admission_number": "%d-%d", "first_name": "Amina", "last_name": "Okafor", "phone": "0803 123 %04d"}`, worker, i, i))
				m.send(t, http.MethodPatch, path, fmt.Sprintf(`{"phone": "0803 123 %04d"}`, i))
				m.send(t, http.MethodPatch, path, fmt.Sprintf(`{"grade_level": "%d"}`, i%12), "If-Match", got.Header().Get("ETag"))
				m.send(t, http.MethodPost, "classes/", fmt.Sprintf(`{"name": "%d-%d", "capacity": %d}`, worker, i, i))
				m.send(t, http.MethodGet, "classes/?limit=3", "")
			}
		})
	}
	rounds := 0
	for ; ctx.Err() == nil && !t.Failed(); rounds++ {
		for _, change := range []string{
			"ALTER TABLE students ADD COLUMN extra text DEFAULT 'x'",
			"ALTER TABLE students ALTER COLUMN phone TYPE text, ALTER COLUMN grade_level TYPE text",
			"ALTER TABLE classes ALTER COLUMN capacity TYPE integer, ALTER COLUMN name TYPE text",
			"DROP INDEX student_email",
			"CREATE INDEX student_email ON students (email)",
			"ALTER TABLE students DROP COLUMN extra, ALTER COLUMN phone TYPE varchar, ALTER COLUMN grade_level TYPE varchar",
			"ALTER TABLE classes ALTER COLUMN capacity TYPE bigint, ALTER COLUMN name TYPE varchar",
		} {
			if _, err := w.registry.Public().ExecContext(context.WithoutCancel(ctx), "SET LOCAL search_path = school_oak; "+change); err != nil {
				t.Fatal(change, err)
			}
		}
	}
	users.Wait()
	m.answers.Range(func(status, count any) bool {
		t.Logf("%d: %d answers", status, count.(*atomic.Int64).Load())
		return true
	})
	t.Logf("%d rounds of changes", rounds)
}

// replica is one of several processes that serve a database, whose program requires a revision, "" for any.
func replica(t *testing.T, url, requires string) *world {
	t.Helper()
	w := &world{log: &logBuffer{}, registry: tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true, Requires: requires})}
	tokens, err := auth.NewTokens(make([]byte, 32), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens
	w.platform = platform.New(w.registry, testkit.Tenant(t), platform.Settings{BaseDomain: "test"}, time.Now)
	w.handler = httpapi.New(httpapi.Settings{PublicHosts: []string{"localhost"}, Log: zerolog.New(w.log)}, w.registry, systemapi.Service{Platform: w.platform, Public: w.registry.Public(), Desk: &auth.Desk{Tokens: tokens, Passwords: auth.NewPasswords()}, Now: time.Now})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.registry.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, w.registry.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A school that is behind what the program requires is refused in a way that clients understand, on every
// replica, until it has been migrated; the others are served.
func TestMixedFleet(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	replicas := []*world{replica(t, url, "9"), replica(t, url, "9")}
	for _, code := range []string{"oak", "elm"} {
		if _, err := replicas[0].platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: code, Code: code}); err != nil {
			t.Fatal(err)
		}
	}
	testkit.On(t, url, "UPDATE clients SET schema_version = '9' WHERE code = 'elm'")
	const path = "/api/v1/students/"
	for range 3 {
		for i, w := range replicas {
			answer := w.ask(http.MethodGet, "oak.test", path)
			if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "school-unavailable") || answer.Header().Get("Retry-After") == "" {
				t.Errorf("replica %d, a school that is behind: %d %v %s", i, answer.Code, answer.Header(), answer.Body)
			}
			if answer := w.ask(http.MethodGet, "elm.test", path); answer.Code != http.StatusUnauthorized {
				t.Errorf("replica %d, another: %d %s", i, answer.Code, answer.Body)
			}
		}
	}
	testkit.On(t, url, "UPDATE clients SET schema_version = '9' WHERE code = 'oak'") // as migrate apply does
	start := time.Now()
	for i, w := range replicas {
		for w.ask(http.MethodGet, "oak.test", path).Code != http.StatusUnauthorized {
			if time.Since(start) > 2*time.Second {
				t.Fatalf("replica %d has not heard of it", i)
			}
		}
		t.Logf("replica %d: served after %s", i, time.Since(start))
	}
}
