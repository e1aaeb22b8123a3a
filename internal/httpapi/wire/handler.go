package wire

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// exactMux registers paths that end in a slash for themselves alone; ServeMux would take them for all
// that lies below as well.
type exactMux struct{ *http.ServeMux }

func (m exactMux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	if strings.HasSuffix(pattern, "/") {
		pattern += "{$}"
	}
	m.ServeMux.HandleFunc(pattern, handler)
}

// Handler serves mux without ServeMux's habits: a path without its closing slash is answered, not
// redirected; one with "//", "." or ".." is not found, not redirected; 404 and 405 are problems. The
// request's Pattern is set on the way back, for logs. No operation's middleware comes to a 404 or 405, so
// lost, if there is one, is asked before: it may refuse with another problem.
func Handler(mux *http.ServeMux, lost func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isClean(r.URL.EscapedPath()) || strings.HasSuffix(r.URL.Path, "//") { // ServeMux takes a %2f at the end for none
			refuse(w, r, http.NotFoundHandler(), lost)
			return
		}
		routed := r
		handler, pattern := mux.Handler(r)
		if strings.HasSuffix(pattern, "/{$}") && !strings.HasSuffix(r.URL.Path, "/") {
			routed = withSlash(r)
			handler, pattern = mux.Handler(routed)
		}
		if pattern == "" {
			refuse(w, r, handler, lost)
			return
		}
		mux.ServeHTTP(w, routed)
		r.Pattern = routed.Pattern
	})
}

// isClean reports whether ServeMux would leave the path as it is.
func isClean(p string) bool {
	cleaned := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == cleaned || cleaned != "/" && p == cleaned+"/")
}

func withSlash(r *http.Request) *http.Request {
	routed, u := new(http.Request), new(url.URL)
	*routed, *u = *r, *r.URL
	u.Path += "/"
	if u.RawPath != "" {
		u.RawPath += "/"
	}
	routed.URL = u
	return routed
}

// refuse writes as a problem what ServeMux's own handler would say of an unknown path or method.
func refuse(w http.ResponseWriter, r *http.Request, handler http.Handler, lost func(context.Context) error) {
	if lost != nil {
		if err := lost(r.Context()); err != nil {
			WriteProblem(w, r, err)
			return
		}
	}
	verdict := &headWriter{header: http.Header{}}
	handler.ServeHTTP(verdict, r)
	if verdict.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", verdict.header.Get("Allow"))
		WriteProblem(w, r, fault.New(fault.MethodNotAllowed, "This path does not take %s.", r.Method))
		return
	}
	WriteProblem(w, r, fault.New(fault.NotFound, "There is nothing at this path."))
}

// headWriter keeps the head of a response and drops its body.
type headWriter struct {
	header http.Header
	status int
}

func (w *headWriter) Header() http.Header         { return w.header }
func (w *headWriter) WriteHeader(status int)      { w.status = status }
func (w *headWriter) Write(p []byte) (int, error) { return len(p), nil }
