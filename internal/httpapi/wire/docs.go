package wire

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed ui
var ui embed.FS

var docsPage = template.Must(template.ParseFS(ui, "ui/index.html"))

// docsPolicy lets the page load and call nothing but this host. Swagger UI writes style attributes.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocument serves the OpenAPI document, as it is when it is first asked for, and a page to read and try it.
func serveDocument(mux *http.ServeMux, o *huma.OpenAPI) {
	mux.Handle("GET /openapi.json", file("application/json", func() ([]byte, error) { return json.Marshal(o) }))
	mux.Handle("GET /openapi.yaml", file("application/yaml", o.YAML))
	mux.Handle("GET /docs/{$}", file("text/html; charset=utf-8", func() ([]byte, error) {
		var page bytes.Buffer
		err := docsPage.Execute(&page, o.Info)
		return page.Bytes(), err
	}))
	const script, style = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
	mux.Handle("GET /docs/docs.js", file(script, func() ([]byte, error) { return ui.ReadFile("ui/docs.js") }))
	mux.Handle("GET /docs/docs.css", file(style, func() ([]byte, error) { return ui.ReadFile("ui/docs.css") }))
	mux.Handle("GET /docs/swagger-ui.js", packed(script, "swagger-ui-bundle.js.gz"))
	mux.Handle("GET /docs/swagger-ui.css", packed(style, "swagger-ui.css.gz"))
	mux.Handle("GET /docs/icon.png", file("image/png", func() ([]byte, error) { return static.FS.ReadFile("favicon-32x32.png") }))
}

// file serves what read returns; read runs once. The tag lets browsers ask whether it is still the same.
func file(contentType string, read func() ([]byte, error)) http.Handler {
	var tag string
	once := sync.OnceValues(func() ([]byte, error) {
		data, err := read()
		sum := sha256.Sum256(data)
		tag = `"` + hex.EncodeToString(sum[:12]) + `"`
		return data, err
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := once()
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Content-Security-Policy", docsPolicy)
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", tag)
		if hasTag(strings.Join(r.Header.Values("If-None-Match"), ", "), true, func(other string) bool { return other == tag }) {
			header.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		header.Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data) // the client may be gone; of a HEAD, net/http sends nothing
	})
}

// packed serves an asset that is embedded compressed, as it is to those who take gzip.
func packed(contentType, name string) http.Handler {
	zipped := file(contentType, func() ([]byte, error) { return static.FS.ReadFile(name) })
	plain := file(contentType, func() ([]byte, error) {
		data, err := static.FS.ReadFile(name)
		if err != nil {
			return nil, err
		}
		reader, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(reader)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			zipped.ServeHTTP(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	})
}
