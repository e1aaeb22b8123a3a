package wire

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"
)

type requestIDKey struct{}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// WithRequestID returns ctx with the id that names its request in answers and logs.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// RequestIDMiddleware gives every request an id, the client's X-Request-Id where that is sane (it ends
// up in logs) and a new UUIDv7 otherwise, and every answer the headers that hold for all of them.
// Answers are not stored by caches unless they say otherwise.
func RequestIDMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !saneID.MatchString(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		header := w.Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r.WithContext(WithRequestID(r.Context(), id)))
	})
}
