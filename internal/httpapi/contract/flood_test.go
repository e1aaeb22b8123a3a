package contract_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	floodRequests = flag.Int("requests", 5_000, "how many requests the flood has")
	floodSeed     = flag.Uint64("seed", 0, "what the flood grows from; 0 for another one each time")
)

// TestFlood sends requests that nobody should send, over the wire as they are. Whatever comes, it is answered
// in time and never with a failure of ours, what is refused is refused with a problem that tells nothing of
// the inside, and the tables hold nothing that should not be there.
func TestFlood(t *testing.T) {
	t.Parallel()
	seed := *floodSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with: go test ./internal/httpapi/contract -run TestFlood -seed %d -requests %d", seed, *floodRequests)
	s := newService(t)
	lanes := []*api{s.system(t), s.schoolAPI(t), s.system(t), s.schoolAPI(t)}
	statuses := make([]map[int]int, len(lanes))
	t.Run("lanes", func(t *testing.T) {
		for i, a := range lanes {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				a.made = i * 200_000
				statuses[i] = flooded(t, a, rand.New(rand.NewPCG(seed, uint64(i))), *floodRequests/len(lanes))
			})
		}
	})
	for i, counts := range statuses {
		t.Logf("lane %d: answers by status: %v", i, counts)
		if counts[200] == 0 || counts[201] == 0 || counts[204] == 0 || counts[422] == 0 {
			t.Error("too few kinds of answers")
		}
	}
	s.sound(t)
	lanes[0].must(t, "GET", schools, nil, nil)
	lanes[1].must(t, "GET", "/api/v1/students/", nil, nil)
}

// flooded sends so many requests to an API and returns how often which status was answered.
func flooded(t *testing.T, a *api, random *rand.Rand, requests int) map[int]int {
	t.Helper()
	f := &flood{T: t, rand: random, line: &line{address: strings.TrimPrefix(a.url, "http://")}, statuses: map[int]int{}}
	defer f.line.hangUp()
	for range requests {
		if f.one(a); t.Failed() {
			break
		}
	}
	t.Logf("the slowest took %s", f.slowest)
	return f.statuses
}

// flood is one flood on its way.
type flood struct {
	*testing.T
	rand     *rand.Rand
	line     *line
	cursors  []string
	statuses map[int]int
	slowest  time.Duration
}

// one sends one request of an operation.
func (f *flood) one(a *api) {
	f.Helper()
	c := a.call(f.T, pick(f.rand, a.operations...), wish{full: f.rand.IntN(2) == 0})
	out, same := a.nasty(f.T, f.rand, c, f.cursors)
	start := time.Now()
	got, err := f.line.send(out)
	f.slowest = max(f.slowest, time.Since(start))
	f.statuses[got.status]++
	if err != nil && out.isHTTP() {
		f.Errorf("%v\n%.2000q", err, out.String())
		return
	}
	if problem := f.trouble(a, got, out.method); problem != "" {
		f.Errorf("%s: %d %v %.2000s\n%.2000q", problem, got.status, got.header, got.text, out.String())
	}
	if same && got.header.Get("X-Request-Id") != "" {
		a.documented(f.T, c.op, got)
	}
	if cursor, ok := got.object()["next_cursor"].(string); ok && len(f.cursors) < 100 {
		f.cursors = append(f.cursors, cursor)
	}
	if got.status < 300 && (out.method == http.MethodDelete || strings.Contains(out.target, "/purge")) {
		a.forget(c.op.path)
	}
}

// forget has the next calls make a new record in the place of one that is gone.
func (a *api) forget(path string) {
	collection, _, _ := strings.Cut(path, "{")
	if domain := strings.Index(path, "{domain_id}"); domain > 0 {
		collection = path[:domain]
	}
	for name := range a.kept {
		if strings.HasPrefix(name, collection) {
			delete(a.kept, name)
		}
	}
}

// inside are words that only our own inside knows.
var inside = []string{"SQLSTATE", "ERROR:", "pgx", "ent:", "goroutine", ".go:", "runtime.", "panic", "relation ", "column ", "violates", "syntax error", "INSERT", "UPDATE ", "json:", "strconv", "unmarshal", "github.com", "uuid:"}

// trouble says what is wrong with an answer whatever the request was; "" if nothing is.
func (f *flood) trouble(a *api, got answer, method string) string {
	f.Helper()
	switch {
	case got.status < 400:
		return ""
	case got.header.Get("X-Request-Id") == "": // net/http's own, of what is no HTTP
		if got.status != http.StatusBadRequest && got.status != http.StatusRequestHeaderFieldsTooLarge && got.status != http.StatusExpectationFailed && got.status != http.StatusNotImplemented {
			return "not our answer"
		}
		return ""
	case got.status >= 500:
		return "a failure"
	case got.header.Get("Content-Type") != "application/problem+json":
		return "no problem"
	case method == http.MethodHead:
		return ""
	}
	if err := a.check(f.T, "#/components/schemas/Problem", normal(f.T, got.value)); err != nil {
		return err.Error()
	}
	said := []any{got.object()["detail"]}
	errors, _ := got.object()["errors"].([]any)
	for _, e := range errors {
		said = append(said, e.(object)["message"]) // the location may be a name that the client made up
	}
	for _, word := range inside {
		if strings.Contains(fmt.Sprint(said...), word) {
			return "it tells of the inside, " + word
		}
	}
	return ""
}

// line is a connection that is kept while the server keeps it.
type line struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

const mostPatience = 30 * time.Second

func (l *line) send(r raw) (answer, error) {
	kept := l.conn != nil
	got, err := l.try(r)
	if err != nil && kept && !errors.Is(err, errSlow) { // it may have ended after the request before
		l.hangUp()
		got, err = l.try(r)
	}
	if err != nil {
		l.hangUp()
	}
	return got, err
}

var errSlow = errors.New("no answer in time")

func (l *line) try(r raw) (got answer, err error) {
	if l.conn == nil {
		if l.conn, err = net.Dial("tcp", l.address); err != nil {
			return got, err
		}
		l.reader = bufio.NewReader(l.conn)
	}
	if err := l.conn.SetDeadline(time.Now().Add(mostPatience)); err != nil {
		return got, err
	}
	_, writeErr := io.WriteString(l.conn, r.String()) // an answer may have come all the same
	response, err := http.ReadResponse(l.reader, &http.Request{Method: r.method})
	if err != nil {
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			err = errSlow
		}
		return got, errors.Join(writeErr, err)
	}
	defer response.Body.Close()
	got = answer{status: response.StatusCode, header: response.Header}
	ours := got.header.Get("X-Request-Id") != ""
	if got.text, err = io.ReadAll(response.Body); err != nil && ours {
		return got, fmt.Errorf("half an answer: %w", err)
	}
	if response.Close || writeErr != nil || !ours {
		l.hangUp()
	}
	if strings.HasSuffix(response.Header.Get("Content-Type"), "json") && len(got.text) > 0 {
		err = json.Unmarshal(got.text, &got.value)
	}
	return got, err
}

func (l *line) hangUp() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// sound holds that the tables of the platform and the schemas agree.
func (s *service) sound(t *testing.T) {
	t.Helper()
	for what, query := range map[string]string{
		"a school that is neither ready nor deleted": `SELECT code || ' ' || state FROM clients WHERE state NOT IN ('ready', 'deleted')`,
		"a school without its schema":                `SELECT code FROM clients WHERE schema_name NOT IN (SELECT nspname FROM pg_namespace)`,
		"a schema without its school": `SELECT nspname FROM pg_namespace
			WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'jobs', 'information_schema') AND nspname NOT IN (SELECT schema_name FROM clients)`,
		"a schema that lacks tables": `SELECT schemaname || ' ' || count(*) FROM pg_tables WHERE schemaname IN (SELECT schema_name FROM clients)
			GROUP BY schemaname HAVING count(*) <> (SELECT count(*) FROM pg_tables WHERE schemaname = 'school_oak')`,
		"a domain of no school":               `SELECT domain FROM domains WHERE NOT EXISTS (SELECT FROM clients c WHERE c.id = tenant_id)`,
		"a school without one primary domain": `SELECT tenant_id::text FROM domains GROUP BY tenant_id HAVING count(*) FILTER (WHERE is_primary) <> 1`,
		"a setup of no school":                `SELECT school_id::text FROM school_setups WHERE school_id NOT IN (SELECT id FROM clients)`,
		"an operation without an end":         `SELECT kind || ' ' || state FROM operations WHERE finished_at IS NULL`,
		"a request at work":                   `SELECT id::text FROM idempotency_keys WHERE answer IS NULL`,
		"no active owner":                     `SELECT 'none' WHERE NOT EXISTS (SELECT FROM operators WHERE role = 'owner' AND is_active)`,
	} {
		rows, err := s.conn.Query(t.Context(), query)
		must(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		if len(found) > 0 {
			t.Errorf("%s: %v", what, found)
		}
	}
}
