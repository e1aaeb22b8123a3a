package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/platform"
)

// A school that floods the service with slow requests waits for itself; the others go on.
func TestOneSchoolDoesNotStarveTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registry.LimitSchools(2)
	if _, err := w.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Elm", Code: "elm"}); err != nil {
		t.Fatal(err)
	}
	started, release := make(chan struct{}, 100), make(chan struct{})
	w.handler.ReplaceTenant(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/panic":
			panic("in the middle")
		case r.Host == "oak.test":
			started <- struct{}{}
			<-release
		}
	}))
	for range 5 { // their places are free again
		if answer := w.ask(http.MethodGet, "oak.test", "/panic"); answer.Code != 500 {
			t.Fatal(answer.Code)
		}
	}
	var flood sync.WaitGroup
	answers := make(chan *httptest.ResponseRecorder, 10)
	for range 2 {
		flood.Go(func() { answers <- w.ask(http.MethodGet, "oak.test", "/") })
		<-started
	}
	for range 8 {
		flood.Go(func() { answers <- w.ask(http.MethodGet, "oak.test", "/") })
	}
	for range 20 {
		start := time.Now()
		if answer := w.ask(http.MethodGet, "elm.test", "/"); answer.Code != 200 || time.Since(start) > time.Second {
			t.Errorf("another school: %d after %s", answer.Code, time.Since(start))
		}
	}
	for range 8 {
		answer := <-answers
		if answer.Code != 429 || answer.Header().Get("Retry-After") != "2" {
			t.Errorf("one too many: %d %v %s", answer.Code, answer.Header(), answer.Body)
		}
	}
	waiting := make(chan *httptest.ResponseRecorder, 1)
	go func() { waiting <- w.ask(http.MethodGet, "oak.test", "/") }()
	close(release)
	for range 2 {
		if answer := <-answers; answer.Code != 200 {
			t.Error(answer.Code)
		}
	}
	if answer := <-waiting; answer.Code != 200 {
		t.Errorf("one that waited: %d", answer.Code)
	}
	flood.Wait()
}
