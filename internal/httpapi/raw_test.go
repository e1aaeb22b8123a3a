package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/httpapi"
)

// serve answers at an address as the service does.
func (w *world) serve(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httpapi.Serve(ctx, listener, w.handler, 0) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// raw is an answer and all that came with it.
type raw struct {
	*http.Response
	body string
	took time.Duration
}

func (r raw) code() string {
	var problem struct{ Code string }
	_ = json.Unmarshal([]byte(r.body), &problem)
	return problem.Code
}

// talk sends bytes as they are and reads what comes: an answer, or none if the server hangs up.
func talk(ctx context.Context, address, request string, hangUp bool) (raw, error) {
	start := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return raw{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(start.Add(20 * time.Second)); err != nil {
		return raw{}, err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return raw{}, err
	}
	if hangUp {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			return raw{}, err
		}
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return raw{Response: &http.Response{}, took: time.Since(start)}, nil
	}
	if err != nil {
		return raw{Response: &http.Response{}}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return raw{response, string(body), time.Since(start)}, err
}

// TestBadBodies sends what a polite client would not.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serve(t)
	post := "POST /api/v1/system/schools/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + w.key + "\r\n"
	large := strings.Repeat(" ", 1<<20+1)
	var all sync.WaitGroup
	for _, c := range []struct {
		name, request string
		hangUp        bool
		status        int
		code          string
		least, most   time.Duration
	}{
		{"100 MB announced, and not a byte of it", post + "Content-Length: 104857600\r\n\r\n", false, 413, "too-large", 0, time.Second},
		{"100 MB after asking", post + "Expect: 100-continue\r\nContent-Length: 104857600\r\n\r\n", false, 413, "too-large", 0, time.Second},
		{"100 MB for a GET", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n", false, 200, "", 0, time.Second},
		{"100 MB for nothing", "POST /nothing/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n", false, 404, "not-found", 0, time.Second},
		{"100 MB without a key", strings.Replace(post, w.key, "x", 1) + "Content-Length: 104857600\r\n\r\n", false, 401, "unauthenticated", 0, time.Second},
		{"a chunk too large", post + "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + large, false, 413, "too-large", 0, time.Second},
		{"chunks without end", post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+large[:1024]+"\r\n", 1025), false, 413, "too-large", 0, time.Second},
		{"cut short", post + "Content-Length: 99\r\n\r\n{\"name\":", true, 400, "malformed-request", 0, time.Second},
		{"a chunk cut short", post + "Transfer-Encoding: chunked\r\n\r\n99\r\n{", true, 400, "malformed-request", 0, time.Second},
		{"no last chunk", post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", true, 400, "malformed-request", 0, time.Second},
		{"a chunk size that is none", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, 400, "malformed-request", 0, time.Second},
		{"a body that stops coming", post + "Content-Length: 99\r\n\r\n{\"name\":", false, 400, "malformed-request", 4 * time.Second, 8 * time.Second},
		{"chunks that stop coming", post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n", false, 400, "malformed-request", 4 * time.Second, 8 * time.Second},
		{"two lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", false, 400, "malformed-request", 0, time.Second},
		{"a length and chunks", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false, 422, "invalid-input", 0, time.Second},
		{"a negative length", post + "Content-Length: -1\r\n\r\n", false, 400, "malformed-request", 0, time.Second},
		{"heads without end", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 40<<10), false, 431, "too-large", 0, time.Second},
		{"a long target", "GET /" + strings.Repeat("x", 40<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", false, 431, "too-large", 0, time.Second},
		{"a target that just fits", "GET /" + strings.Repeat("x", 30<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", false, 404, "not-found", 0, time.Second},
		{"two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: oak.test\r\n\r\n", false, 400, "malformed-request", 0, time.Second},
		{"no HTTP", "hello\r\n\r\n", false, 400, "malformed-request", 0, time.Second},
		{"another version", "GET / HTTP/3.1\r\nHost: localhost\r\n\r\n", false, 505, "malformed-request", 0, time.Second},
		{"another transfer coding", post + "Transfer-Encoding: gzip\r\n\r\n", false, 501, "malformed-request", 0, time.Second},
		{"another expectation", post + "Expect: tea\r\n\r\n", false, 417, "malformed-request", 0, time.Second},
		{"a head that stops coming", "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", false, 0, "", 8 * time.Second, 14 * time.Second},
	} {
		all.Go(func() { // not subtests: those wait for a free processor, these for the server
			got, err := talk(t.Context(), address, c.request, c.hangUp)
			if err != nil || got.StatusCode != c.status || got.code() != c.code || got.took < c.least || got.took > c.most+2*time.Second {
				t.Errorf("%s: %d %s after %s: %v", c.name, got.StatusCode, got.body, got.took, err)
			}
			if c.code != "" && (got.Header.Get("Content-Type") != "application/problem+json" || got.Header.Get("X-Request-Id") == "") {
				t.Errorf("%s: %v", c.name, got.Header)
			}
		})
	}
	all.Wait()
}

// TestBodyThatNobodyReads holds that a connection ends whose body drips in after the answer.
func TestBodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /nothing/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	drip := time.NewTicker(100 * time.Millisecond)
	defer drip.Stop()
	for start := time.Now(); ; <-drip.C {
		if _, err := conn.Write([]byte("x")); err != nil { // 1000 of them would take 100 seconds
			return
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal("the connection is still open")
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/api/v1/students/", "/nothing/", "/healthz", "/docs/", "/openapi.json", "/"} {
		header := w.ask(http.MethodGet, "oak.test", path).Header()
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" || header.Get("Cache-Control") == "" ||
			!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			len(header["Content-Security-Policy"]) != 1 || header.Get("Strict-Transport-Security") != "" || header.Get("Server") != "" {
			t.Errorf("%s: %v", path, header)
		}
	}
	for _, c := range []struct {
		from, proto string
		secure      bool
	}{{"10.1.2.3", "https", true}, {"10.1.2.3", "http", false}, {"10.1.2.3", "https, http", false}, {"203.0.113.9", "https", false}} {
		header := w.ask(http.MethodGet, "oak.test", "/", "from", c.from, "X-Forwarded-Proto", c.proto).Header()
		if (header.Get("Strict-Transport-Security") == "max-age=31536000") != c.secure {
			t.Errorf("%+v: %v", c, header)
		}
	}
}
