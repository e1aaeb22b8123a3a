package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/httpapi"
)

// However many ask whether the service is ready, the database is asked once in a while, and one who leaves
// does not answer for the others.
func TestReadyCostsLittle(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	w := newWorld(t, func(s *httpapi.Settings) {
		s.Ready = func(ctx context.Context) error {
			looks.Add(1)
			return ctx.Err()
		}
	})
	gone, leave := context.WithCancel(t.Context())
	leave()
	start := time.Now()
	w.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, http.MethodGet, "/readyz", nil))
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if answer := w.ask(http.MethodGet, "any", "/readyz"); answer.Code != 200 {
				t.Error(answer.Code, answer.Body)
			}
		})
	}
	all.Wait()
	if n, most := looks.Load(), 1+int64(time.Since(start)/time.Second); n > most {
		t.Errorf("%d looks, not %d at most", n, most)
	}
}
