package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/homeroom-sms/homeroom/ent/public/operation"
	"github.com/homeroom-sms/homeroom/internal/httpapi"
)

// answer is what came over the wire; text is its body, unpacked.
type answer struct {
	status int
	header http.Header
	size   int
	text   string
}

// over sends a request over a connection. A Go client unpacks only what it was not told to ask for.
func (w *world) over(t *testing.T, url, method, path, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.key)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, len(raw), unpack(t, response.Header.Get("Content-Encoding"), raw)}
}

func unpack(t *testing.T, encoding string, raw []byte) string {
	t.Helper()
	var reader io.Reader = bytes.NewReader(raw)
	var err error
	switch encoding {
	case "gzip":
		reader, err = gzip.NewReader(reader)
	case "zstd":
		reader, err = zstd.NewReader(reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// setup gives oak a setup of so many steps and returns its path.
func (w *world) setup(t *testing.T, url string, steps int) string {
	t.Helper()
	path := "/api/v1/system/schools/" + w.schoolID(t) + "/setup/"
	all := make([]string, steps)
	for i := range all {
		all[i] = fmt.Sprintf(`{"id":"step-%d","title":"Bring in the students","status":"pending"}`, i)
	}
	if put := w.over(t, url, "PUT", path, `{"steps":[`+strings.Join(all, ",")+`]}`); put.status != 200 {
		t.Fatal(put)
	}
	return path
}

func TestCompression(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	path := w.setup(t, server.URL, 50)
	plain := w.over(t, server.URL, "GET", path, "")
	for _, c := range []struct{ method, path, accept, encoding string }{
		{"GET", path, "gzip", "gzip"},
		{"GET", path, "gzip, deflate, br", "gzip"},
		{"GET", path, "gzip, deflate, br, zstd", "zstd"},
		{"GET", path, "gzip;q=0", ""},
		{"GET", path, "identity", ""},
		{"GET", path, "*;q=0", ""},
		{"GET", path, "br", ""},
		{"HEAD", path, "gzip", ""},
		{"GET", "/api/v1/system/schools/", "gzip", ""}, // small
		{"GET", "/nothing/", "gzip", ""},
		{"GET", "/openapi.json", "gzip", "gzip"},
		{"GET", "/docs/icon.png", "gzip", ""},
		{"GET", "/docs/swagger-ui.css", "gzip", "gzip"}, // kept compressed
	} {
		identity := w.over(t, server.URL, c.method, c.path, "")
		got := w.over(t, server.URL, c.method, c.path, "", "Accept-Encoding", c.accept)
		if got.header.Get("Content-Encoding") != c.encoding || !strings.Contains(strings.Join(got.header["Vary"], ","), "Accept-Encoding") ||
			c.encoding != "" && (got.text != identity.text || got.size >= identity.size || got.header.Get("Etag") == identity.header.Get("Etag")) {
			t.Errorf("%s %s %q: %d bytes %v", c.method, c.path, c.accept, got.size, got.header)
		}
		if c.encoding == "" && got.header.Get("Etag") != identity.header.Get("Etag") {
			t.Errorf("%s %s %q: %v", c.method, c.path, c.accept, got.header)
		}
	}
	if plain.header.Get("Content-Encoding") != "" || plain.size < 3000 {
		t.Error(plain)
	}
}

// TestTagsOfCompressedAnswers holds that a client may send back whichever tag it got.
func TestTagsOfCompressedAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	path := w.setup(t, server.URL, 50)
	for _, accept := range []string{"gzip", "zstd", "identity"} {
		get := func(headers ...string) answer {
			return w.over(t, server.URL, "GET", path, "", append(headers, "Accept-Encoding", accept)...)
		}
		before := get()
		tag := before.header.Get("Etag")
		if strings.Contains(tag, accept) == (accept == "identity") || strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: %s", accept, tag)
		}
		for _, list := range []string{tag, `"other", ` + tag, "W/" + tag} {
			if got := get("If-None-Match", list); got.status != 304 || got.header.Get("Etag") != tag || got.size > 0 || got.header.Get("Content-Encoding") != "" {
				t.Errorf("If-None-Match %s: %v", list, got)
			}
		}
		patch := func(match string) answer {
			return w.over(t, server.URL, "PATCH", path, `{"contacted_by":"`+accept+`"}`, "If-Match", match, "Accept-Encoding", accept)
		}
		if got := patch("W/" + tag); got.status != 412 {
			t.Errorf("a weak tag matches: %v", got.status)
		}
		changed := patch(tag)
		if changed.status != 200 || changed.header.Get("Etag") == tag {
			t.Errorf("If-Match %s: %v", tag, changed)
		}
		if got := patch(tag); got.status != 412 {
			t.Errorf("a tag of before matches: %v", got)
		}
		if got := get("If-None-Match", tag); got.status != 200 {
			t.Errorf("a tag of before: %d", got.status)
		}
		if got := patch(changed.header.Get("Etag")); got.status != 200 {
			t.Errorf("the tag of a change: %v", got)
		}
	}
	if asset := w.over(t, server.URL, "GET", "/openapi.json", "", "Accept-Encoding", "gzip"); w.over(t, server.URL, "GET", "/openapi.json", "",
		"Accept-Encoding", "gzip", "If-None-Match", asset.header.Get("Etag")).status != 304 {
		t.Error("the document's tag", asset.header)
	}
}

// TestEventsAreNotHeldBack holds that a stream's events leave one by one, for a client that takes gzip too.
func TestEventsAreNotHeldBack(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	server := httptest.NewServer(httpapi.Compressed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("data: 1\n\n"))
		_ = http.NewResponseController(w).Flush()
		<-more
	})))
	t.Cleanup(server.Close)
	defer close(more)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "data: 1\n\n" || response.Header.Get("Content-Encoding") != "" {
		t.Error(string(first), err, response.Header)
	}
}

// TestOperationIsStreamedPlain holds the same of an operation, all the way through the service.
func TestOperationIsStreamedPlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	row, err := w.registry.Public().Operation.Create().SetKind("school.purge").SetState(operation.StateFailed).SetCreatedBy("shell").
		SetError(strings.Repeat("x", 500)).SetFinishedAt(time.Now()).Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := w.over(t, server.URL, "GET", "/api/v1/system/operations/"+row.ID.String()+"/events/", "", "Accept-Encoding", "gzip, zstd", "Accept", "text/event-stream")
	if got.status != 200 || got.header.Get("Content-Encoding") != "" || !strings.HasPrefix(got.text, "retry: ") || !strings.Contains(got.text, "event: done") {
		t.Error(got)
	}
}

func TestPanicBehindCompression(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handler.ReplaceSystem(httpapi.Compressed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") })))
	if answer := w.ask(http.MethodGet, "localhost", "/", "Accept-Encoding", "gzip"); answer.Code != 500 || !strings.Contains(answer.Body.String(), `"internal"`) {
		t.Error(answer.Code, answer.Body)
	}
}
