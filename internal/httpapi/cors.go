package httpapi

import (
	"net/http"

	"github.com/rs/cors"
)

// preflightSeconds is how long browsers may remember what they were allowed: the longest that all of them keep.
const preflightSeconds = 7200

// crossOrigin lets pages of the given origins use the APIs; nil without any. Credentials of the browser's
// own, such as cookies, are never asked for: a page sends its token itself.
func crossOrigin(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Prefer", "Last-Event-ID", "X-Request-Id"},
		ExposedHeaders: []string{"ETag", "Link", "Location", "X-Request-Id", "Retry-After", "Idempotency-Replayed", "Preference-Applied"},
		MaxAge:         preflightSeconds,
	})
}
