package contract_test

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestSystemAPI(t *testing.T) {
	t.Parallel()
	newService(t).system(t).hold(t)
}

func TestTenantAPI(t *testing.T) {
	t.Parallel()
	newService(t).schoolAPI(t).hold(t)
}

// hold holds each operation to the document: what it takes is answered as it says, and what it does not
// take is refused with a problem that names the part to blame, and changes nothing.
func (a *api) hold(t *testing.T) {
	t.Helper()
	for _, op := range a.operations {
		t.Run(op.id, func(t *testing.T) {
			seen := a.succeed(t, op)
			for status := range op.responses {
				if status != "default" && !seen[status] {
					t.Errorf("nothing was answered with the %s of the document: say in prepare how to come by one", status)
				}
			}
			c := a.call(t, op, wish{full: true})
			refusals := append(a.badManners(c), a.badParameters(t, c)...)
			if op.body != "" {
				refusals = append(refusals, a.badBodies(t, c)...)
			}
			before := a.snapshot(t)
			for _, r := range refusals {
				a.refused(t, op, r)
			}
			for table, content := range a.snapshot(t) {
				if before[table] != content {
					t.Errorf("a refused request has changed %s", table)
				}
			}
		})
	}
}

// succeed calls an operation with as little and with as much as it takes, and returns the statuses that
// were answered.
func (a *api) succeed(t *testing.T, op *operation) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	try := func(r request) answer {
		got := a.send(t, a.host, r)
		seen[fmt.Sprint(got.status)] = true
		if got.status >= http.StatusBadRequest || op.response(got.status) == "" {
			t.Errorf("%s %s?%s %v: %d %s", r.method, r.path, r.query, r.body, got.status, got.text)
		}
		a.documented(t, op, got)
		return got
	}
	for _, full := range []bool{false, true} {
		c := a.call(t, op, wish{full: full, fresh: op.method != http.MethodGet})
		got := try(c.request)
		if tag := got.header.Get("ETag"); op.responses["304"] != "" {
			c.header["If-None-Match"] = tag
			if again := try(c.request); again.status != http.StatusNotModified || len(again.text) > 0 {
				t.Errorf("If-None-Match: %d %s", again.status, again.text)
			}
		}
	}
	c := a.call(t, op, wish{})
	for _, p := range op.parametersIn("query") {
		_, schema := a.follow(p.schema)
		if p.name == "cursor" { // which is the API's own
			continue
		}
		values, _ := schema["enum"].([]any)
		if values == nil {
			values = []any{a.sample(t, p.schema, p.name, wish{})}
		}
		for _, value := range values {
			c.query = p.name + "=" + url.QueryEscape(fmt.Sprint(value))
			try(c.request)
		}
		if p.name == "limit" {
			c.query = "limit=1"
			if next, more := try(c.request).object()["next_cursor"].(string); more {
				c.query += "&cursor=" + next
				try(c.request)
			}
		}
	}
	return seen
}

// documented holds that an answer is one that the document speaks of.
func (a *api) documented(t *testing.T, op *operation, got answer) {
	t.Helper()
	at := op.response(got.status)
	said := a.object(at)
	headers, _ := said["headers"].(object)
	for name := range headers {
		if name != "Link" && got.header.Get(name) == "" {
			t.Errorf("%d has no %s", got.status, name)
		}
	}
	content, _ := said["content"].(object)
	if len(content) == 0 {
		if len(got.text) > 0 {
			t.Errorf("%d has a body: %s", got.status, got.text)
		}
		return
	}
	media, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || content[media] == nil {
		t.Errorf("%d has the Content-Type %q", got.status, got.header.Get("Content-Type"))
		return
	}
	schema := at.to("content", media, "schema")
	if media == "text/event-stream" {
		for line := range bytes.Lines(got.text) {
			if data, is := bytes.CutPrefix(line, []byte("data: ")); is {
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
				must(t, err)
				got.value = value
			}
		}
	}
	if err := a.check(t, schema, normal(t, got.value)); err != nil {
		t.Errorf("%d: %v\n%s", got.status, err, got.text)
	}
}

// refused sends what must be refused.
func (a *api) refused(t *testing.T, op *operation, r refusal) {
	t.Helper()
	got := a.send(t, a.host, r.request)
	said := fmt.Sprintf("%s %s?%s, %s: %d %s", r.method, r.path, r.query, r.why, got.status, got.text)
	if got.status != r.status {
		t.Errorf("want %d: %s", r.status, said)
		return
	}
	a.documented(t, op, got)
	problem := got.object()
	if problem["status"] != float64(got.status) || problem["type"] != "urn:homeroom:problem:"+fmt.Sprint(problem["code"]) || problem["request_id"] != got.header.Get("X-Request-Id") {
		t.Errorf("it contradicts itself: %s", said)
	}
	if got.status == http.StatusUnauthorized && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("no WWW-Authenticate: %s", said)
	}
	if allow := strings.Join(op.methods, ", "); got.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != allow {
		t.Errorf("Allow is %q, not %q: %s", got.header.Get("Allow"), allow, said)
	}
	if r.location != "" && !slices.ContainsFunc(locations(problem), r.blames) {
		t.Errorf("it does not blame %s: %s", r.location, said)
	}
}

// blames reports whether a location is the one that the refusal is about.
func (r refusal) blames(location string) bool {
	return location == r.location || r.loose && (strings.HasPrefix(location, r.location) || strings.HasPrefix(r.location, location) && location != "body")
}

func locations(problem object) []string {
	var all []string
	errors, _ := problem["errors"].([]any)
	for _, e := range errors {
		all = append(all, e.(object)["location"].(string))
	}
	return all
}
