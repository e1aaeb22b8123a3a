// Package httpapi is the service's front door: from a request's host to one of the two APIs, with
// what every request gets: an id, a log line, and an answer even after a panic.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/cors"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/ratelimit"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// Settings are what the front door goes by.
type Settings struct {
	PublicHosts    []string          // normalised; they serve the system API
	TrustedProxies []netip.Prefix    // whose X-Forwarded-Host and -For count
	CORSOrigins    []string          // whose pages may use the APIs
	Limits         *ratelimit.Limits // nil for none
	Version        string
	Log            zerolog.Logger
	Ready          func(context.Context) error // whether the service can serve, beside not draining
}

// Handler answers all requests of the service.
type Handler struct {
	settings  Settings
	registry  *tenancy.Registry
	system    http.Handler
	tenant    http.Handler
	cors      *cors.Cors // nil if no other origin may use the APIs
	draining  atomic.Bool
	readiness readiness
	inFlight  atomic.Int64 // requests, probes left out
}

// New returns the handler that serves the schools of registry, and the system API of system.
func New(settings Settings, registry *tenancy.Registry, system systemapi.Service) *Handler {
	systemMux, tenantMux := http.NewServeMux(), http.NewServeMux()
	systemapi.New(systemMux, system, settings.Version)
	tenantapi.New(tenantMux, system.Desk, settings.Version)
	for _, mux := range []*http.ServeMux{systemMux, tenantMux} {
		mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusSeeOther)) // whoever comes by browser
	}
	return &Handler{
		settings: settings, registry: registry, system: compressed(wire.Handler(systemMux, ratelimit.Stranger)),
		tenant: compressed(wire.Handler(tenantMux, ratelimit.Stranger)),
		cors:   crossOrigin(settings.CORSOrigins),
	}
}

// Drain makes /readyz say no from now on, so that no new requests are sent here, and returns when
// none is in flight any more, or when ctx ends.
func (h *Handler) Drain(ctx context.Context) {
	h.draining.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for h.inFlight.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// staySecure tells browsers to come by TLS from now on, where a proxy of ours speaks it.
var staySecure = []string{"max-age=31536000"}

// bodyTime is what a body may take that nobody asked for.
const bodyTime = 10 * time.Second

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	from := h.forwarded(r)
	ctx := wire.Begin(w, r, from.address)
	if from.https {
		w.Header()["Strict-Transport-Security"] = staySecure
	}
	if r.ContentLength != 0 {
		// For bodies that no operation reads: net/http reads on after the answer, however slowly they come.
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(bodyTime)) // not every connection knows deadlines
	}
	log := h.settings.Log.With().Str("request_id", wire.RequestID(ctx)).Str("host", clip(from.host)).Logger()
	v := &visit{ResponseWriter: w}
	r = r.WithContext(h.settings.Limits.In(log.WithContext(ctx), from.address))
	r.Host = from.host
	defer func() {
		aborted := rescue(recover(), v, r)
		event := log.Info()
		if v.school != "" {
			event.Str("school", v.school)
		}
		event.Str("method", clip(r.Method)).Str("route", v.route).Int("status", v.status()).
			Dur("duration_ms", time.Since(start)).Msg("request")
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}()
	if h.cors != nil {
		if h.cors.HandlerFunc(v, r); v.code != 0 { // it was a preflight
			return
		}
	}
	h.route(v, r)
}

// rescue answers a request whose handler panicked, and reports whether the connection must be cut:
// because the handler asked for it, or because half an answer is out already.
func rescue(panicked any, v *visit, r *http.Request) bool {
	if panicked == nil {
		return false
	}
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	cause := fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
	if v.code != 0 {
		zerolog.Ctx(r.Context()).Error().Err(cause).Msg("panic in the middle of an answer")
		return true
	}
	wire.WriteProblem(v, r, cause)
	return false
}

// route finds who answers: by the path for the probes, else by the host.
func (h *Handler) route(v *visit, r *http.Request) {
	switch r.URL.Path {
	case "/healthz", "/readyz":
		v.route = r.URL.Path
		h.probe(v, r)
		return
	}
	h.inFlight.Add(1)
	defer h.inFlight.Add(-1)
	// What may be somebody's, the API counts, once it knows who asks.
	if r.Header.Get("Authorization") == "" || !strings.HasPrefix(r.URL.Path, "/api/") {
		if err := ratelimit.Stranger(r.Context()); err != nil {
			wire.WriteProblem(v, r, err)
			return
		}
	}
	host, err := tenancy.NormaliseHost(r.Host)
	if err == nil && slices.Contains(h.settings.PublicHosts, host) {
		serve(h.system, v, r)
		return
	}
	tenant, err := h.registry.ByHost(r.Context(), r.Host)
	if err != nil {
		wire.WriteProblem(v, r, cmp.Or(ratelimit.Stranger(r.Context()), err))
		return
	}
	v.school = tenant.Code
	if err := tenant.Enter(r.Context()); err != nil {
		wire.WriteProblem(v, r, err)
		return
	}
	defer tenant.Leave() // also if it panics
	// In place: r is ServeHTTP's own copy.
	*r = *r.WithContext(tenantapi.WithTenant(r.Context(), tenant))
	serve(h.tenant, v, r)
}

func serve(api http.Handler, v *visit, r *http.Request) {
	defer func() { // also if it panics
		_, pattern, _ := strings.Cut(r.Pattern, " ")
		v.route = strings.TrimSuffix(pattern, "{$}")
	}()
	api.ServeHTTP(v, r)
}

// probe answers /healthz, whether the process lives, and /readyz, whether it can serve.
func (h *Handler) probe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		wire.WriteProblem(w, r, fault.New(fault.MethodNotAllowed, "This path does not take %s.", clip(r.Method)))
		return
	}
	if r.URL.Path == "/readyz" {
		if err := h.ready(r.Context()); err != nil {
			wire.WriteProblem(w, r, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
}

func (h *Handler) ready(ctx context.Context) error {
	if h.draining.Load() {
		return &fault.Error{Kind: fault.DatabaseUnavailable, Message: "The service is stopping.", RetryAfter: time.Second}
	}
	return h.readiness.of(ctx, h.settings.Ready)
}

// clip keeps what a client made up from flooding the log.
func clip(text string) string {
	const most = 255
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// visit is one request on its way through, for its log line: its answer, and where it led.
type visit struct {
	http.ResponseWriter
	code          int // 0 until the head is out
	school, route string
}

func (v *visit) WriteHeader(code int) {
	if v.code == 0 && code >= http.StatusOK {
		v.code = code
	}
	v.ResponseWriter.WriteHeader(code)
}

func (v *visit) Write(p []byte) (int, error) {
	if v.code == 0 {
		v.code = http.StatusOK
	}
	return v.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the writer itself.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// Flush is there because the compression before it asks for http.Flusher, and not for Unwrap.
func (v *visit) Flush() { _ = http.NewResponseController(v.ResponseWriter).Flush() } // a lost client shows at the next write

func (v *visit) status() int {
	if v.code == 0 {
		return http.StatusOK // what net/http answers for a handler that wrote nothing
	}
	return v.code
}
