package wire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// TestLongWork holds that an operation which takes too long is answered, and its work ended.
func TestLongWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		huma.Register(wire.NewAPI(mux, wire.Document{}), huma.Operation{OperationID: "wait", Method: http.MethodGet, Path: "/wait/"},
			func(ctx context.Context, _ *struct{}) (*struct{}, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		answer, start := httptest.NewRecorder(), time.Now()
		wire.Handler(mux, nil).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/wait/", http.NoBody))
		if answer.Code != 503 || !strings.Contains(answer.Body.String(), "not ready in time") || answer.Header().Get("Retry-After") == "" || time.Since(start) != time.Minute {
			t.Errorf("%d %v %s after %s", answer.Code, answer.Header(), answer.Body, time.Since(start))
		}
	})
}

// patient is a recorder that takes deadlines, as a connection does.
type patient struct{ *httptest.ResponseRecorder }

func (patient) SetWriteDeadline(time.Time) error { return nil }

// TestLongStream holds that a stream of events goes on for longer than work may take, until the client leaves.
func TestLongStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		huma.Register(wire.NewAPI(mux, wire.Document{}), huma.Operation{OperationID: "watch", Method: http.MethodGet, Path: "/watch/"},
			func(context.Context, *struct{}) (*huma.StreamResponse, error) {
				return &huma.StreamResponse{Body: func(ctx huma.Context) {
					events, err := wire.BeginEvents(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					<-events.Gone
				}}, nil
			})
		ctx, leave := context.WithTimeout(t.Context(), time.Hour)
		defer leave()
		start := time.Now()
		wire.Handler(mux, nil).ServeHTTP(patient{httptest.NewRecorder()}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/watch/", http.NoBody))
		if time.Since(start) != time.Hour {
			t.Errorf("it ended after %s", time.Since(start))
		}
	})
}
