package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestServeWantsTheJobsSchema(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	testkit.On(t, url, "DROP SCHEMA jobs CASCADE")
	homeroom(t, url, "serve", "--listen", "127.0.0.1:0").expect(t, exitNotReady, "background jobs", "migrate apply")
	homeroom(t, url, "doctor").expect(t, exitFailed, "background jobs", "migrations behind")
	homeroom(t, url, "school", "list").expect(t, exitDone)
	homeroom(t, url, "migrate", "apply").expect(t, exitDone)
	homeroom(t, url, "doctor").expect(t, exitDone, "their schema is current")
	homeroom(t, url, "migrate", "drift").expect(t, exitDone)
}

// The service ends what was deleted long ago, and what it is asked to end, in the background.
func TestBackground(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, code := range []string{"due", "fresh", "asked"} {
		homeroom(t, url, "school", "create", code, "--name", code).expect(t, exitDone)
	}
	for _, code := range []string{"due", "fresh"} {
		homeroom(t, url, "school", "delete", code).expect(t, exitDone)
	}
	testkit.On(t, url, "UPDATE public.clients SET deleted_at = now() - interval '49 hours' WHERE code = 'due'")
	testkit.On(t, url, `INSERT INTO public.idempotency_keys (id, principal, key_hash, request_hash, busy_until, expires_at)
		SELECT gen_random_uuid(), 'shell', n::text::bytea, '', now(), now() + n * interval '1 hour' FROM unnest(ARRAY[-1, 1]) AS n`)
	testkit.On(t, url, `INSERT INTO public.login_limits (id, subject, attempts, ends_at)
		SELECT gen_random_uuid(), n::text::bytea, 1, now() + n * interval '1 hour' FROM unnest(ARRAY[-1, 1]) AS n`)
	for _, code := range []string{"ill", "well"} {
		homeroom(t, url, "school", "create", code, "--name", code).expect(t, exitDone)
	}
	testkit.On(t, url, "DROP TABLE school_ill.refresh_tokens")
	testkit.On(t, url, `INSERT INTO school_well.login_limits (id, subject, attempts, ends_at)
		SELECT gen_random_uuid(), n::text::bytea, 1, now() + n * interval '1 hour' FROM unnest(ARRAY[-1, 1]) AS n`)
	key := strings.TrimSpace(homeroom(t, url, "key", "create", "--name", "x", "--role", "owner").expect(t, exitDone).stdout)
	key = key[strings.Index(key, "hr_"):]
	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url, "HOMEROOM_RETENTION=2d")
	s := start(t, cmd)

	id := ask[string](t, url, "SELECT id::text FROM public.clients WHERE code = 'asked'")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/system/schools/"+id+"/purge/", strings.NewReader(`{"confirm":"asked"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + key}, "Prefer": {"respond-async"}, "Content-Type": {"application/json"}}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var op struct{ ID string }
	if err := json.NewDecoder(answer.Body).Decode(&op); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatal(answer.StatusCode, err)
	}
	status, events := s.get(t, "localhost", key, "/api/v1/system/operations/"+op.ID+"/events/")
	if status != http.StatusOK || !strings.Contains(events, "event: done") || !strings.Contains(events, `"state":"succeeded"`) {
		t.Fatal(status, events)
	}
	const left = `SELECT concat_ws(' ', (SELECT string_agg(code, ' ' ORDER BY code) FROM public.clients), (SELECT count(*) FROM public.idempotency_keys), (SELECT count(*) FROM public.login_limits), (SELECT count(*) FROM school_well.login_limits))`
	for deadline := time.Now().Add(60 * time.Second); ask[string](t, url, left) != "fresh ill well 1 1 1"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.stop(t, syscall.SIGTERM)
			t.Fatalf("what is due is kept: %s\n%s", ask[string](t, url, left), &s.stderr)
		}
	}
	s.endsWithStreamOpen(t, url, key)
	if log := s.stderr.String(); !strings.Contains(log, `"job":"forget-expired"`) || !strings.Contains(log, "the school ill:") {
		t.Errorf("a school that could not be cleared up is in no log: %s", log)
	}
}

// endsWithStreamOpen fails the test unless the service stops soon although somebody watches an operation.
func (s *service) endsWithStreamOpen(t *testing.T, url, key string) {
	t.Helper()
	testkit.On(t, url, `INSERT INTO public.operations (id, kind, state, progress, detail, created_by, request_id, address)
		VALUES ('0192f0c1-7b1e-7c3a-9d58-3c5b0b7a1f11', 'odd', 'pending', 0, '', 'shell', '', '')`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/system/operations/0192f0c1-7b1e-7c3a-9d58-3c5b0b7a1f11/events/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	stream, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	began := time.Now()
	if code := s.stop(t, syscall.SIGTERM); code != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("it ended with %d after %s\n%s", code, time.Since(began), s.stderr.String())
	}
	if text, err := io.ReadAll(stream.Body); err != nil || !strings.Contains(string(text), "event: progress") || strings.Contains(string(text), "event: done") {
		t.Errorf("%s %v", text, err)
	}
}
