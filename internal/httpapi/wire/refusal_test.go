package wire

import (
	"bytes"
	"testing"
)

// FuzzRefusal: nothing that a handler writes is taken for an answer of net/http's own, for JSON, HTML and YAML of
// ours have no CR.
func FuzzRefusal(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request: missing required Host header\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"))
	f.Add([]byte("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 4"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if status, _ := refusal(p); status != 0 && (status < 400 || !bytes.HasPrefix(p, []byte("HTTP/1.1 ")) || !bytes.Contains(p, []byte("\r\n"))) {
			t.Errorf("%q is taken for a refusal with %d", p, status)
		}
	})
}
