package httpapi_test

import (
	"testing"
)

// TestOddTargets holds that no way of writing a path leads anywhere but to its own place, or by a redirect
// away from here.
func TestOddTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serve(t)
	const system = "/api/v1/system/schools/"
	for target, want := range map[string]string{
		"//": "not-found", "///": "not-found", "//evil.test": "not-found", "//evil.test/": "not-found", "//evil.test/..": "not-found", "/\\evil.test": "not-found", "/%5cevil.test": "not-found",
		"/%2f": "not-found", "/%2F": "not-found", "/%2f%2fevil.test/": "not-found", "/docs/%2f": "not-found", "/docs%2f": "not-found", "/docs//": "not-found",
		"/.": "not-found", "/./": "not-found", "/..": "not-found", "/../": "not-found", "/%2e": "not-found", "/%2e%2e/": "not-found", "/%252e%252e/": "not-found",
		"/api/v1//students/": "not-found", "/api/v1/students//": "not-found", "/api/v1/./students/": "not-found", "/api/v1/students/.": "not-found", "/api/v1/students/..": "not-found",
		"/docs/../api/v1/students/": "not-found", "/docs/%2e%2e/openapi.json": "not-found", "/api/v1/%2e%2e/v1/students/": "not-found", "/api/v1%2fstudents/": "not-found",
		"/API/V1/STUDENTS/": "not-found", "/api/v1/students./": "not-found", "/api/v1/students;x=1/": "not-found", "/api/v1/students%00/": "not-found", "/%00": "not-found", "/api/v1/students%20/": "not-found",
		"/openapi.json/": "not-found", "/healthz/": "not-found", "//healthz": "not-found", "/healthz;x": "not-found", "/..;/healthz": "not-found",
		system: "not-found", "/api/v1/%73ystem/schools/": "not-found", "/api/v1/students/../system/schools/": "not-found", "/api/v1/students/..%2fsystem/schools/": "not-found", "/api/v1/students/..;/": "unauthenticated",
		// The host within the target is the one that counts (RFC 9112 §3.2.2).
		"http://oak.test" + system: "not-found", "http://oak.test//": "not-found", "http://localhost" + system: "unauthenticated", "http://evil.test/": "unknown-host",
		"http://evil.test//": "unknown-host", "http://user@localhost" + system: "unauthenticated",
		"*": "not-found",
		// These net/http refuses by itself.
		"/api/v1/students/%": "malformed-request", "/%zz": "malformed-request", "evil": "malformed-request", "/a b": "malformed-request",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got, err := talk(t.Context(), address, method+" "+target+" HTTP/1.1\r\nHost: oak.test\r\nConnection: close\r\n\r\n", false)
			status := map[string]int{"malformed-request": 400, "not-found": 404, "unknown-host": 404, "unauthenticated": 401}[want]
			if err != nil || got.StatusCode != status || method != "HEAD" && got.code() != want || got.Header.Get("Location") != "" ||
				got.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d %s %v %v", method, target, got.StatusCode, got.body, got.Header, err)
			}
		}
	}
}

// TestOddHeads holds that a request has one host, said once, and that whoever is no trusted proxy speaks
// for itself alone.
func TestOddHeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serve(t)
	for head, want := range map[string]string{
		"Host: oak.test":     "unauthenticated",
		"Host: OAK.Test.:99": "unauthenticated",
		"Host: oak.test\r\nX-Forwarded-Host: evil.test": "unauthenticated",
		"Host: evil.test\r\nX-Forwarded-Host: oak.test": "unknown-host",
		"Host: evil.test\r\nX-Host: oak.test\r\nForwarded: host=oak.test\r\nX-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz": "unknown-host",
		"Host: oak.test\r\nX-HTTP-Method-Override: DELETE":                                                                       "unauthenticated",
		"Host: oak.test,localhost": "unknown-host",
		"Host: %6fak.test":         "unknown-host",
		"Host: oak.test:x":         "unknown-host",
		"Host: ":                   "unknown-host",
		// These net/http refuses by itself.
		"Host: oak.test\r\nHost: oak.test":       "malformed-request",
		"Host: oak.test\r\nHost: localhost":      "malformed-request",
		"Host: oak.test@localhost":               "malformed-request",
		"Host: localhost/oak.test":               "malformed-request",
		"Host: oak\x00.test":                     "malformed-request",
		"X-No-Host: x":                           "malformed-request",
		"Host: oak.test\r\nX: a\nb":              "malformed-request",
		"Host: oak.test\r\nX: a\rb":              "malformed-request",
		"Host: oak.test\r\n folded":              "malformed-request",
		"Host: oak.test\r\nX : y":                "malformed-request",
		"Host: oak.test\r\nTransfer-Encoding: x": "malformed-request",
		"Host: oak.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked": "malformed-request",
	} {
		got, err := talk(t.Context(), address, "GET /api/v1/students/ HTTP/1.1\r\n"+head+"\r\nConnection: close\r\n\r\n", false)
		if err != nil || got.code() != want || got.Header.Get("Location") != "" {
			t.Errorf("%q: %d %s %v", head, got.StatusCode, got.body, err)
		}
	}
}
