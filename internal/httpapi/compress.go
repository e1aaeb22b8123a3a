package httpapi

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// smallest is the least that is compressed, in bytes: less fits into one packet anyway.
const smallest = 1400

// compressed sends large answers as zstd or gzip to those who take it. Streams of events are left alone:
// they must not wait for one another. The same state of a resource then has a tag for each form, as
// RFC 9110 §8.8.3 asks of strong ones; what the client sends back is brought to the one that is ours.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(smallest), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.SuffixETag("-gzip"),
		gzhttp.ContentTypes([]string{"application/json", "application/problem+json", "application/yaml", "text/html", "text/javascript", "text/css"}))
	if err != nil {
		panic(err) // the options are fixed
	}
	return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := plainTags(r.Header, "If-None-Match")
		plainTags(r.Header, "If-Match")
		if form != "" {
			w = tagWriter{w, form}
		}
		next.ServeHTTP(w, r)
	}))
}

// forms are what the tags of compressed answers end with.
var forms = []string{`-gzip"`, `-zstd"`}

// plainTags takes the form off a header's tags and returns the last one found.
func plainTags(header http.Header, name string) (form string) {
	for i, line := range header[name] {
		for _, f := range forms {
			if strings.Contains(line, f) {
				line, form = strings.ReplaceAll(line, f, `"`), f
			}
		}
		header[name][i] = line
	}
	return form
}

// tagWriter gives a 304 the tag of the form that the client has.
type tagWriter struct {
	http.ResponseWriter
	form string
}

func (w tagWriter) WriteHeader(status int) {
	if tag, ok := strings.CutSuffix(w.Header().Get("ETag"), `"`); ok && status == http.StatusNotModified {
		w.Header().Set("ETag", tag+w.form)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer itself.
func (w tagWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
