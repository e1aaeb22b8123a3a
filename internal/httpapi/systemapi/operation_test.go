package systemapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
)

// operation adds one that runs.
func (p *place) operation(t *testing.T, edit func(*publicdb.OperationCreate)) *publicdb.Operation {
	t.Helper()
	create := p.registry.Public().Operation.Create().SetKind("school.purge").SetState(operation.StateRunning).SetCreatedBy("shell").SetStartedAt(time.Now())
	if edit != nil {
		edit(create)
	}
	row, err := create.Save(t.Context())
	must(t, err)
	return row
}

// runWatcher lets the watcher look until the test, or the function that it returns, ends it.
func (p *place) runWatcher(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.watcher.Run(ctx) }()
	end = func() {
		cancel()
		must(t, <-ended)
		ended <- nil
	}
	t.Cleanup(end)
	return end
}

func TestOperations(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := uuid.New()
	old := p.operation(t, func(o *publicdb.OperationCreate) {
		o.SetState(operation.StateFailed).SetError("The database is full.").SetFinishedAt(time.Now()).SetSchoolID(school).SetSchoolCode("one")
	})
	recent := p.operation(t, func(o *publicdb.OperationCreate) {
		o.SetKind("school.move").SetProgress(40).SetDetail("copying").SetAddress("192.0.2.99")
	})
	ids := []string{recent.ID.String(), old.ID.String()}
	for query, want := range map[string][]string{
		"": ids, "sort=created_at": {ids[1], ids[0]}, "state=failed": ids[1:], "state=pending": {}, "kind=school.move": ids[:1],
		"school=one": ids[1:], "school=" + school.String(): ids[1:], "school=two": {}, "limit=1": ids[:1],
	} {
		if got := p.call(t, "GET", "operations/?"+query, nil).names(t, "id"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	p.call(t, "GET", "operations/"+ids[1]+"/", nil).want(t, http.StatusOK, `"state":"failed"`, `"error":"The database is full."`, `"school_code":"one"`, "Etag: ")
	p.call(t, "GET", "operations/"+ids[0]+"/", nil).want(t, http.StatusOK, `"progress":40,"detail":"copying","error":null`, `"finished_at":null`, "!192.0.2.99")
	p.call(t, "GET", "operations/"+nobody+"/", nil).want(t, http.StatusNotFound)
	p.call(t, "GET", "operations/"+nobody+"/events/", nil).want(t, http.StatusNotFound, "application/problem+json")
	p.call(t, "GET", "operations/?state=odd", nil).want(t, http.StatusUnprocessableEntity)
}

// event is one of a stream.
type event struct{ name, id, data string }

// stream is what a client has of a stream of events.
type stream struct {
	body   io.ReadCloser
	events chan event
}

// watch opens a stream.
func (p *place) watch(t *testing.T, id uuid.UUID, last string) *stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/system/operations/"+id.String()+"/events/", nil)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Accept", "text/event-stream")
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	s := &stream{response.Body, make(chan event, 100)}
	go func() {
		defer close(s.events)
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					s.events <- e
				}
				e = event{}
			}
		}
	}()
	return s
}

// next fails the test unless the next event has the name and an operation of this progress.
func (s *stream) next(t *testing.T, name string, progress float64) event {
	t.Helper()
	select {
	case e, open := <-s.events:
		var data object
		if err := json.Unmarshal([]byte(e.data), &data); !open || err != nil || e.name != name || data["progress"] != progress {
			t.Fatalf("want %s at %v: %+v (%v)", name, progress, e, err)
		}
		return e
	case <-time.After(20 * time.Second):
		t.Fatalf("no event; want %s at %v", name, progress)
		return event{}
	}
}

// ended fails the test unless the stream ends with no further event.
func (s *stream) ended(t *testing.T) {
	t.Helper()
	select {
	case e, open := <-s.events:
		if open {
			t.Fatalf("one more event: %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the stream goes on")
	}
}

func (p *place) progress(t *testing.T, o *publicdb.Operation, percent int) {
	t.Helper()
	must(t, p.registry.Public().Operation.UpdateOne(o).SetProgress(percent).Exec(t.Context()))
}

func (p *place) finish(t *testing.T, o *publicdb.Operation) {
	t.Helper()
	must(t, p.registry.Public().Operation.UpdateOne(o).SetProgress(100).SetState(operation.StateSucceeded).SetFinishedAt(time.Now()).Exec(t.Context()))
}

func TestStream(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.runWatcher(t)
	o := p.operation(t, nil)
	first := p.watch(t, o.ID, "")
	seen := first.next(t, "progress", 0)
	p.progress(t, o, 30)
	at30 := first.next(t, "progress", 30)
	_ = first.body.Close()

	again := p.watch(t, o.ID, at30.id)
	behind := p.watch(t, o.ID, seen.id)
	behind.next(t, "progress", 30)
	p.progress(t, o, 60)
	again.next(t, "progress", 60) // 30 is not told twice
	behind.next(t, "progress", 60)
	p.finish(t, o)
	done := again.next(t, "done", 100)
	again.ended(t)
	behind.next(t, "done", 100)
	behind.ended(t)

	late := p.watch(t, o.ID, at30.id)
	if late.next(t, "done", 100).id != done.id {
		t.Error("the end has another id for another client")
	}
	late.ended(t)
	p.call(t, "GET", "operations/"+o.ID.String()+"/events/", nil, "Last-Event-ID: "+done.id).want(t, http.StatusNoContent)
}

func TestStreamEndsWithWhatItIsOf(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	end := p.runWatcher(t)
	gone, stays := p.operation(t, nil), p.operation(t, nil)
	ofGone, ofStays := p.watch(t, gone.ID, ""), p.watch(t, stays.ID, "")
	ofGone.next(t, "progress", 0)
	ofStays.next(t, "progress", 0)
	must(t, p.registry.Public().Operation.DeleteOne(gone).Exec(t.Context()))
	ofGone.ended(t)
	end() // the server drains
	ofStays.ended(t)
	after := p.watch(t, stays.ID, "")
	after.next(t, "progress", 0)
	after.ended(t)
}

// 30 streams go over the 8 connections of a place: none of them holds one. Nor does any wait for one that
// nobody reads.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.runWatcher(t)
	o := p.operation(t, func(o *publicdb.OperationCreate) { o.SetDetail(strings.Repeat("x", 500)) })
	_, stop := p.watcher.Watch(o.ID) // as a client does whose connection takes nothing more
	defer stop()
	var streams []*stream
	for range 30 {
		s := p.watch(t, o.ID, "")
		s.next(t, "progress", 0)
		streams = append(streams, s)
	}
	p.progress(t, o, 50)
	for _, s := range streams {
		s.next(t, "progress", 50)
	}
	p.finish(t, o)
	for _, s := range streams {
		s.next(t, "done", 100)
	}
}
