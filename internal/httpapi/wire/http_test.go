package wire_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

const (
	isJSON  = "Content-Type: application/json"
	isMerge = "Content-Type: application/merge-patch+json"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	current := wire.ETag(updatedAt)
	tests := []struct {
		method, target, headers, body string
		status                        int
		has, lacks                    []string // in the head or the body of the answer
	}{
		// Paths
		{"GET", path, "", "", 200, []string{`"name":"Ada"`, "Etag: " + current, "Cache-Control: private, no-cache"}, []string{"$schema"}},
		{"GET", strings.TrimSuffix(path, "/"), "", "", 200, []string{`"name":"Ada"`}, nil},
		{"HEAD", path, "", "", 200, []string{"Etag: " + current}, []string{"Ada"}},
		{"GET", path + "more/", "", "", 404, []string{`"code":"not-found"`}, nil},
		{"GET", "/", "", "", 404, []string{`"code":"not-found"`, "problem+json"}, []string{"404 page"}},
		{"GET", "//api/students/", "", "", 404, []string{`"code":"not-found"`}, []string{"Location"}},
		{"GET", "/api//students/", "", "", 404, []string{`"code":"not-found"`}, []string{"Location"}},
		{"GET", "/api/x/../students/", "", "", 404, []string{`"code":"not-found"`}, []string{"Location"}},
		{"GET", "/api/./students", "", "", 404, []string{`"code":"not-found"`}, []string{"Location"}},
		{"GET", "/api/students/%2e%2e/", "", "", 422, []string{`"path.id"`}, []string{"Location"}},
		{"GET", "/api/students/a%2fb", "", "", 422, []string{`"path.id"`}, []string{"Location", "a/b"}},
		{"DELETE", path, "", "", 405, []string{"Allow: GET, HEAD, PATCH", `"code":"method-not-allowed"`}, nil},
		{"DELETE", "/api/students", "", "", 405, []string{"Allow: GET, HEAD, POST"}, nil},
		{"POST", "/openapi.json", "", "", 405, []string{"Allow: GET, HEAD"}, nil},
		{"GET", "/docs", "", "", 200, []string{"text/html", "Sample &lt;API&gt;"}, nil},
		{"GET", "/docs/", "", "", 200, []string{"Content-Security-Policy: default-src 'none'"}, nil},
		{"GET", "/docs/other", "", "", 404, []string{`"code":"not-found"`}, nil},
		{"GET", "/openapi.json", `If-Match: "x"`, "", 200, []string{"openapi"}, nil},
		{"GET", "/openapi.json", "Range: bytes=99999999-", "", 200, []string{"openapi"}, nil},
		// Parameters
		{"GET", "/api/students/?limit=7&since=2024-02-29", "", "", 200, []string{`"house":"7"`, `"name":"2024-02-29"`}, nil},
		{"GET", "/api/students", "", "", 200, []string{`"house":"50"`, `"next_cursor":"a&b>"`, `Link: </api/students/?cursor=a%26b%3E>; rel="next"`}, nil},
		{"GET", "/api/students/?sort=name&cursor=x", "", "", 200, []string{`Link: </api/students/?cursor=a%26b%3E&sort=name>; rel="next"`}, nil},
		{"GET", "/api/students/?cursor=last", "", "", 200, []string{`{"items":[],"next_cursor":null}`}, []string{"Link:"}},
		{"GET", "/api/students/?limit=0", "", "", 422, []string{`"query.limit"`}, nil},
		{"GET", "/api/students/?limit=201", "", "", 422, []string{`"query.limit"`}, nil},
		{"GET", "/api/students/?limit=x-secret", "", "", 422, []string{`"query.limit"`}, []string{"x-secret"}},
		{"GET", "/api/students/?sort=x-secret", "", "", 422, []string{`"query.sort"`}, []string{"x-secret"}},
		{"GET", "/api/students/?since=2023-02-30", "", "", 422, []string{`"query.since"`}, []string{"02-30"}},
		{"GET", "/api/students/?since=1812-02-03", "", "", 422, []string{`"query.since"`}, nil},
		{"GET", "/api/students/?nope=1", "", "", 422, []string{`"query.nope"`}, nil},
		{"GET", "/api/students/?limit=1&limit=2", "", "", 422, []string{`"query.limit"`}, nil},
		{"GET", "/api/students/?cursor=a%00b", "", "", 422, []string{`"query.cursor"`}, nil},
		{"GET", "/api/students/?cursor=%ff", "", "", 422, []string{`"query.cursor"`}, nil},
		{"GET", "/api/students/?cursor=%zz", "", "", 400, []string{`"malformed-request"`}, nil},
		{"GET", "/api/students/a%00/", "", "", 422, []string{`"path.id"`}, nil},
		{"GET", "/api/students/nobody/", "", "", 422, []string{`"path.id"`, "expected a UUID"}, []string{"nobody"}},
		{"GET", "/api/students/01890a5d-ac96-774b-bcce-000000000000/", "", "", 404, []string{"There is no such student."}, []string{"loading"}},
		// Content negotiation
		{"GET", path, "Accept: text/html", "", 406, []string{`"not-acceptable"`}, nil},
		{"GET", path, "Accept: text/html, application/*;q=0.1", "", 200, nil, nil},
		{"GET", path, "Accept: application/problem+json", "", 200, []string{"Content-Type: application/json"}, nil},
		{"GET", path, "Accept: */*;q=0.0", "", 406, nil, nil},
		{"GET", path, "Accept: */*;q,x", "", 200, nil, nil},
		{"GET", path, "Accept: application/json;q,x", "", 200, nil, nil},
		{"GET", path, "Accept: text/html\nAccept: APPLICATION/JSON", "", 200, nil, nil},
		{"POST", "/api/students/", "Content-Type: text/plain", `{"name":"x"}`, 415, []string{`"unsupported-media-type"`, "application/json"}, nil},
		{"POST", "/api/students/", "Content-Type: application/x+json", `{"name":"x"}`, 415, nil, nil},
		{"POST", "/api/students/", isMerge, `{"name":"x","note":null}`, 415, nil, nil},
		{"POST", "/api/students/", "Content-Type: application/json; charset=latin1", `{"name":"x"}`, 415, nil, nil},
		{"POST", "/api/students/", "Content-Encoding: gzip\n" + isJSON, `{"name":"x"}`, 415, nil, nil},
		{"POST", "/api/students/", "", `{"name":"x","note":null}`, 201, nil, nil},
		{"PATCH", path, "Content-Type: application/json-patch+json", `[]`, 415, []string{"application/merge-patch+json"}, nil},
		{"POST", "/api/imports/", "Content-Type: text/csv", "a,b", 422, []string{"3 bytes"}, nil},
		{"POST", "/api/imports/", "Content-Type: text/csv", strings.Repeat("x", 101), 413, []string{`"too-large"`}, nil},
		{"POST", "/api/imports/", isJSON, `{}`, 415, nil, nil},
		// Bodies
		{"POST", "/api/students", "Content-Type: application/json; charset=UTF-8", `{"name":"x","note":null}`, 201, []string{"Location: " + path, "Etag: ", `"house":"north"`, "Cache-Control: no-store"}, nil},
		{"POST", "/api/students/", isJSON, "", 400, []string{`"malformed-request"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x-secret"`, 400, []string{`"malformed-request"`}, []string{"x-secret"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null} {}`, 400, []string{`"malformed-request"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"name":"y"}`, 400, []string{`"body.name"`}, nil},
		{"POST", "/api/students/", isJSON, "{\"name\":\"\xff\",\"note\":null}", 400, []string{`"malformed-request"`}, nil},
		{"POST", "/api/students/", isJSON, deep, 400, []string{"deep"}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"a\u0000b","tags":["x","\u0000"],"note":null}`, 422, []string{`"body.name"`, `"body.tags[1]"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"a\u0000":1}`, 422, []string{`"location":"body"`}, nil},
		{"POST", "/api/students/", isJSON, `{"Name":"x","note":null}`, 422, []string{`"body.name","message":"is required"`, `"body.Name"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"password":"hunter2"}`, 422, []string{`"body.password"`}, []string{"hunter2"}},
		{"POST", "/api/students/", isJSON, `{"name":7,"note":null}`, 422, []string{`"body.name","message":"expected string"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":null,"note":null}`, 422, []string{`"body.name"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"email":null,"gender":null,"address":null}`, 201, nil, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"email":"<x-secret"}`, 422, []string{`"body.email","message":"expected an email address"`}, []string{"x-secret"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"gender":"x-secret"}`, 422, []string{`"body.gender"`, `female, male, other\"`}, []string{"x-secret", "nil"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"grade":3.0}`, 422, []string{`"body.grade"`}, []string{"StudentInput", "int"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"grade":1e999}`, 400, nil, []string{"1e999", "float64"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"born":"2001-02-29"}`, 422, []string{`"body.born"`}, []string{"2001"}},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"born":"0099-02-01"}`, 422, []string{`"body.born"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"born":"2200-12-31"}`, 201, []string{`"born":"2200-12-31"`}, nil},
		{"POST", "/api/students/", isJSON, `{"name":"x","note":null,"address":{"zip":"1"}}`, 422, []string{`"body.address.city"`, `"body.address.zip"`}, nil},
		{"POST", "/api/students/", isJSON, `null`, 422, []string{`"location":"body"`}, nil},
		{"POST", "/api/students/", isJSON, `"` + strings.Repeat("x", 1<<20) + `"`, 413, []string{`"too-large"`}, nil},
		{"POST", "/api/students/", "X-Strict: 1\n" + isJSON, `{`, 400, []string{`"malformed-request"`}, nil},
		{"POST", "/api/students/", "Authorization: Bearer bad\n" + isJSON, `{`, 401, []string{`Www-Authenticate: Bearer realm="homeroom"`}, nil},
		{"POST", "/slow/", isJSON, `{"city":"x"}`, 204, nil, nil},
		{"POST", "/slow/", "", ``, 204, nil, nil},
		// Patches
		{"PATCH", path, isMerge, `{"grade":4}`, 200, []string{`"name":"Ada"`, `"grade":4`, `"email":"ada@example.org"`, `"house":"south"`}, nil},
		{"PATCH", path, isJSON, `{"email":null,"house":null}`, 200, []string{`"house":"north"`}, []string{"email"}},
		{"PATCH", path, isJSON, `{"name":null}`, 422, []string{`"body.name","message":"is required"`}, nil},
		{"PATCH", path, isJSON, `{"note":"x"}`, 200, []string{`"note":"x"`}, nil},
		{"PATCH", path, isJSON, `{"note":null}`, 200, []string{`"note":null`}, nil},
		{"PATCH", path, isJSON, `{"Name":"x"}`, 422, []string{`"body.Name"`}, nil},
		{"PATCH", path, isJSON, `{"grade":99}`, 422, []string{`"body.grade","message":"expected number <= 13"`}, nil},
		{"PATCH", path, isJSON, `{"gender":"x"}`, 422, []string{`female, male, other\"`}, []string{"nil"}},
		{"PATCH", path, isJSON, `{"address":{"zip":"12345"}}`, 422, []string{`"body.address.city"`}, nil},
		{"PATCH", path, isJSON, `{"address":{"zip":"12345","city":"x"}}`, 200, []string{`"zip":"12345"`}, nil},
		{"PATCH", path, isJSON, `[]`, 422, []string{`"location":"body"`}, nil},
		{"PATCH", path, isJSON, `null`, 422, nil, nil},
		// Conditional requests
		{"GET", path, "If-None-Match: " + current, "", 304, []string{"Etag: " + current, "Cache-Control: private, no-cache"}, []string{"Ada", "application/json"}},
		{"HEAD", path, `If-None-Match: "x", W/` + current, "", 304, []string{"Etag: " + current}, nil},
		{"GET", path, "If-None-Match: \"x\"\nIf-None-Match: " + current, "", 304, nil, nil},
		{"GET", path, `If-None-Match: "x"`, "", 200, []string{"Ada"}, nil},
		{"PATCH", path, isJSON + "\nIf-Match: " + current, `{}`, 200, nil, nil},
		{"PATCH", path, isJSON + "\nIf-Match: *", `{}`, 200, nil, nil},
		{"PATCH", path, isJSON + "\nIf-Match: W/" + current, `{}`, 412, []string{`"precondition-failed"`}, nil},
		{"PATCH", path, isJSON + "\nIf-Match: \"x\"\nIf-Match: " + current, `{}`, 200, nil, nil},
		{"PATCH", path, isJSON + "\nIf-None-Match: " + current, `{}`, 200, nil, nil},
		// Failures
		{"GET", "/fail/plain/", "", "", 500, []string{`"internal"`, "Something went wrong on our side."}, []string{"secret_table", "42P01"}},
		{"GET", "/fail/wrapped/", "", "", 409, []string{`"conflict"`, "That code is taken."}, []string{"secret_table", "creating"}},
		{"GET", "/fail/token/", "", "", 401, []string{`Www-Authenticate: Bearer realm="homeroom"`, "The token has expired."}, nil},
		{"GET", "/fail/moving/", "", "", 503, []string{`"school-unavailable"`, "Retry-After: 2"}, nil},
		{"GET", "/fail/limited/", "", "", 429, []string{`"rate-limited"`, "Retry-After: 1"}, nil},
		{"GET", "/fail/deadline/", "", "", 503, []string{`"database-unavailable"`, "Retry-After: 1"}, []string{"secret_table"}},
		{"GET", "/fail/unknown/", "", "", 500, []string{`"internal"`}, []string{"secret_table"}},
	}
	for i, test := range tests {
		t.Run(fmt.Sprintf("%d %s %s", i, test.method, test.target), func(t *testing.T) {
			t.Parallel()
			response := exchange(t, server, test.method, test.target, test.headers+fmt.Sprintf("\nX-Request-Id: test-%d", i), test.body)
			var head strings.Builder
			if err := response.header.Write(&head); err != nil {
				t.Fatal(err)
			}
			all := head.String() + response.body
			if response.status != test.status {
				t.Fatalf("status %d, want %d\n%s", response.status, test.status, all)
			}
			for _, s := range append(test.has, fmt.Sprintf("X-Request-Id: test-%d", i), "X-Content-Type-Options: nosniff") {
				if !strings.Contains(all, s) {
					t.Errorf("lacks %s\n%s", s, all)
				}
			}
			for _, s := range test.lacks {
				if strings.Contains(all, s) {
					t.Errorf("has %s\n%s", s, all)
				}
			}
			if test.status >= 400 {
				checkProblem(t, response, fmt.Sprintf("test-%d", i))
			}
		})
	}
}

// checkProblem holds a problem against RFC 9457 and our additions.
func checkProblem(t *testing.T, response answer, id string) {
	t.Helper()
	body := response.body
	var p map[string]any
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if got := response.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %s", got)
	}
	if got := response.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %s", got)
	}
	code, _ := p["code"].(string)
	if p["type"] != "urn:homeroom:problem:"+code || p["request_id"] != id || p["status"] != float64(response.status) ||
		p["title"] == "" || p["detail"] == "" {
		t.Errorf("not a whole problem: %s", body)
	}
	fields, _ := p["errors"].([]any)
	for _, e := range fields {
		if entry := e.(map[string]any); len(entry) != 2 || entry["location"] == "" || entry["message"] == "" {
			t.Errorf("an error is not location and message: %s", body)
		}
	}
}

func TestCausesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	server, _, logged := serve(t)
	exchange(t, server, "GET", "/fail/plain/", "", "")
	exchange(t, server, "GET", "/fail/wrapped/", "", "")
	server.Close()
	if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "secret_table") || !strings.Contains(got, `"level":"error"`) {
		t.Errorf("want the cause of the 500 and no other line, got %s", got)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t)
	for given, kept := range map[string]bool{
		"abc-1_2.3": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "": false, "a b": false, `"`: false,
	} {
		response := exchange(t, server, "GET", path, "X-Request-Id: "+given, "")
		got := response.header.Get("X-Request-Id")
		if (got == given) != kept || len(got) < 1 || !kept && (len(got) != 36 || got[14] != '7') {
			t.Errorf("given %q, got %q", given, got)
		}
	}
}

func TestPatternReachesTheLogger(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	register(wire.NewAPI(mux, wire.Document{}))
	for _, target := range []string{path, strings.TrimSuffix(path, "/")} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
		wire.Handler(mux, nil).ServeHTTP(httptest.NewRecorder(), r)
		if r.Pattern != "GET /api/students/{id}/{$}" || r.URL.Path != target {
			t.Errorf("pattern %q, path %q", r.Pattern, r.URL.Path)
		}
	}
}

// TestRawRequests sends what Go's client refuses to.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t)
	for request, status := range map[string]string{
		"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n":                                                          "404",
		"POST /slow/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{":                           "400",
		"POST /slow/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":             "400",
		"POST /api/students/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nContent-Type: application/json\r\n\r\n" + large + "": "413",
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, status) {
			t.Errorf("%.30q: %s %v", request, line, err)
		}
	}
}

var large = strings.Repeat(" ", 1<<20+1)
