package wire

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/google/uuid"
)

type visitKey struct{}

// visit is what every request has.
type visit struct {
	id      string
	address netip.Addr
}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		return visit{}
	}
	return *v
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string { return visitOf(ctx).id }

// Address returns the client's IP address, "" if it is not known.
func Address(ctx context.Context) string {
	if address := visitOf(ctx).address; address.IsValid() {
		return address.String()
	}
	return ""
}

// These hold for every answer; no answer changes the values themselves.
var (
	nosniff    = []string{"nosniff"}
	noStore    = []string{"no-store"}
	askAgain   = []string{"private, no-cache"}
	noReferrer = []string{"no-referrer"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// Begin gives a request an id, the client's X-Request-Id where that is sane (it ends up in logs) and a
// new UUIDv7 otherwise, and its answer the headers that hold for all of them. It returns the request's
// context with the id and the client's address. Answers are not stored by caches unless they say otherwise.
func Begin(w http.ResponseWriter, r *http.Request, address netip.Addr) context.Context {
	id := r.Header.Get("X-Request-Id")
	if !saneID.MatchString(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	header := w.Header()
	header["X-Request-Id"] = []string{id}
	header["X-Content-Type-Options"] = nosniff
	header["Cache-Control"] = noStore
	header["Referrer-Policy"] = noReferrer
	header["Content-Security-Policy"] = noContent
	return context.WithValue(r.Context(), visitKey{}, &visit{id, address})
}
