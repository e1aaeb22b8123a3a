package idempotency_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const body, key = `{"name":"a"}`, "Idempotency-Key: one"
	first := p.post(t, "/things/", body, key)
	if first.status != 201 || !strings.Contains(first.text, `"count":1`) || !strings.Contains(first.text, "Location: /things/1/") || !strings.Contains(first.text, "Etag: ") {
		t.Fatal(first)
	}
	for _, c := range []struct {
		path, body, headers string
		status              int
		has                 string
	}{
		{"/things/", body, key, 201, first.text},
		{"/things", body, key, 201, first.text},
		{"/things/", body, `Idempotency-Key: "one"`, 201, first.text},
		{"/things/", `{"name":"b"}`, key, 422, `"location":"header.Idempotency-Key"`},
		{"/others/", body, key, 422, "header.Idempotency-Key"},
		{"/things/?x=1", body, key, 422, "header.Idempotency-Key"},
		{"/things/", body, key + "\nAuthorization: bob", 201, `"count":2`},
		{"/things/", body, "Idempotency-Key: two", 201, `"count":3`},
		{"/things/", body, "", 201, `"count":4`},
		{"/login/", body, key, 201, `"count":5`},
		{"/login/", body, key, 201, `"count":6`},
		{"/things/", body, "Idempotency-Key: ", 422, "header.Idempotency-Key"},
		{"/things/", body, `Idempotency-Key: ""`, 422, "header.Idempotency-Key"},
		{"/things/", body, "Idempotency-Key: a\tb", 422, "header.Idempotency-Key"},
		{"/things/", body, "Idempotency-Key: ключ", 422, "header.Idempotency-Key"},
		{"/things/", body, key + "\nIdempotency-Key: two", 422, "header.Idempotency-Key"},
		{"/things/", body, "Idempotency-Key: " + strings.Repeat("x", 256), 422, "header.Idempotency-Key"},
		{"/things/", body, "Idempotency-Key: " + strings.Repeat("x", 255), 201, `"count":7`},
		// What is wrong with a request is an answer too; a body that can't be read claims nothing.
		{"/things/", `{"name":""}`, "Idempotency-Key: bad", 422, "body.name"},
		{"/things/", `{"name":"c"}`, "Idempotency-Key: bad", 422, "header.Idempotency-Key"},
		{"/things/", `{`, "Idempotency-Key: broken", 400, "malformed-request"},
		{"/things/", `{"name":"c"}`, "Idempotency-Key: broken", 201, `"count":8`},
	} {
		var headers []string
		if c.headers != "" {
			headers = strings.Split(c.headers, "\n")
		}
		got := p.post(t, c.path, c.body, headers...)
		if got.status != c.status || !strings.Contains(got.text, c.has) {
			t.Errorf("%s %s %q: %d %s", c.path, c.body, c.headers, got.status, got.text)
		}
		if replayed := got.header.Get("Idempotency-Replayed") == "true"; replayed != (c.has == first.text) {
			t.Errorf("%s %q: replayed: %v", c.path, c.headers, replayed)
		}
	}
	for want := range int64(2) {
		if got := send(t, http.MethodPut, p.url+"/things/", body, key); !strings.Contains(got.text, `"count":`) || p.done.Load() != 9+want {
			t.Errorf("a PUT heeds the key: %v", got)
		}
	}
}

// TestManyAtOnce holds that of two hundred one is carried out, and each is told its answer or to come again.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.hold = make(chan struct{})
	var replies sync.Map
	var group sync.WaitGroup
	var busy atomic.Int64
	for i := range 200 {
		group.Go(func() {
			got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one")
			if got.status == http.StatusConflict && got.header.Get("Retry-After") == "1" && strings.Contains(got.text, "is at work") {
				if busy.Add(1) == 199 {
					close(p.hold)
				}
			}
			replies.Store(i, got)
		})
	}
	group.Wait()
	made := 0
	replies.Range(func(_, value any) bool {
		if value.(reply).status == http.StatusCreated {
			made++
		}
		return true
	})
	if made != 1 || busy.Load() != 199 || p.done.Load() != 1 {
		t.Errorf("%d made, %d told to come again, %d done", made, busy.Load(), p.done.Load())
	}
	if got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one"); got.status != 201 || p.done.Load() != 1 {
		t.Error(got)
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind fault.Kind
		kept bool
	}{{fault.Internal, false}, {fault.DatabaseUnavailable, false}, {fault.RateLimited, false}, {fault.Conflict, true}, {fault.NotFound, true}} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.fails.Store(fault.New(c.kind, "No."))
			first := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one")
			p.fails.Store(nil)
			second := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one")
			if kept := second.status == first.status && second.text == first.text; kept != c.kept || !kept && second.status != 201 {
				t.Errorf("%v, then %v", first, second)
			}
		})
	}
}

// TestDoubt holds that work which may have been done although it failed is not done again, nor waited for.
func TestDoubt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.doubt = true
	p.fails.Store(fault.New(fault.DatabaseUnavailable, "No."))
	if got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one"); got.status != 503 {
		t.Fatal(got)
	}
	p.fails.Store(nil)
	for range 2 {
		if got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one"); got.status != 409 || got.header.Get("Retry-After") != "" || !strings.Contains(got.text, "unknown") {
			t.Error(got)
		}
	}
	// A doubt that the work itself has cleared up is none.
	if got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: two"); got.status != 201 {
		t.Error(got)
	}
	if got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: two"); got.status != 201 || p.done.Load() != 1 || len(p.started) != 2 {
		t.Error(got, p.done.Load(), len(p.started))
	}
}

// TestCutOff holds what happens to a request whose process died, or whose handler panicked: it is not
// carried out again.
func TestCutOff(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const key = "Idempotency-Key: one"
	if got := p.post(t, "/things/", `{"name":"panic"}`, key); got.status != 500 {
		t.Fatal(got)
	}
	if got := p.post(t, "/things/", `{"name":"panic"}`, key); got.status != 409 || got.header.Get("Retry-After") == "" {
		t.Error(got)
	}
	p.exec(t, "UPDATE idempotency_keys SET busy_until = now()")
	if got := p.post(t, "/things/", `{"name":"panic"}`, key); got.status != 409 || got.header.Get("Retry-After") != "" || !strings.Contains(got.text, "unknown") {
		t.Error(got)
	}
	if len(p.started) != 1 {
		t.Errorf("carried out %d times", len(p.started))
	}
	p.exec(t, "UPDATE idempotency_keys SET expires_at = now()")
	if got := p.post(t, "/things/", `{"name":"another"}`, key); got.status != 201 {
		t.Error("after it has expired:", got)
	}
}

func (p *place) exec(t *testing.T, query string) {
	t.Helper()
	_, err := p.db.ExecContext(t.Context(), query)
	must(t, err)
}

// TestClientLeaves holds that the work goes on without the client, whose next try gets its answer.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.hold = make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/things/", strings.NewReader(`{"name":"a"}`))
	must(t, err)
	request.Header.Set("Authorization", "ann")
	request.Header.Set("Idempotency-Key", "one")
	left := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		left <- err
	}()
	<-p.started
	leave()
	if err := <-left; err == nil {
		t.Fatal("it did not leave")
	}
	close(p.hold)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: one")
		if got.status == 201 && got.header.Get("Idempotency-Replayed") == "true" && p.done.Load() == 1 {
			return
		}
		if got.status != 409 || time.Now().After(deadline) {
			t.Fatal(got, p.done.Load())
		}
	}
}

// TestNothingReadableIsKept holds that the table tells neither key, body nor answer, and that an answer
// which can't be opened any more is not made anew.
func TestNothingReadableIsKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const key = "Idempotency-Key: one-and-only"
	if got := p.post(t, "/things/", `{"name":"Amina"}`, key); !strings.Contains(got.text, secret) {
		t.Fatal(got)
	}
	row := p.db.IdempotencyKey.Query().OnlyX(t.Context())
	if kept := strings.Join([]string{string(row.KeyHash), string(row.RequestHash), string(*row.Answer), row.Principal}, " "); strings.Contains(kept, secret) ||
		strings.Contains(kept, "Amina") || strings.Contains(kept, "one-and-only") || !strings.HasSuffix(kept, "ann") {
		t.Errorf("%q", kept)
	}
	other := p.serve(t, 8)
	if got := send(t, http.MethodPost, other+"/things/", `{"name":"Amina"}`, key); got.status != 409 || !strings.Contains(got.text, "can't be shown again") || p.done.Load() != 1 {
		t.Error(got)
	}
}

func TestExpiredRowsGo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, key := range []string{"1", "2", "3"} {
		p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: "+key)
	}
	p.exec(t, "UPDATE idempotency_keys SET expires_at = now()")
	p.post(t, "/things/", `{"name":"a"}`, "Idempotency-Key: 4")
	if n := p.db.IdempotencyKey.Query().CountX(t.Context()); n != 1 {
		t.Errorf("%d rows", n)
	}
}
