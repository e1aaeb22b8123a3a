package systemapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

func TestDatabases(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const one = "databases/north/"
	for body, want := range map[string]string{
		`{"name": "north", "url": "postgres://u:hunter2@h/d"}`:                              "body.url",
		`{"name": "north", "url": "postgres://u@h/d?password=hunter2"}`:                     "body.url",
		`{"name": "north", "url": "postgres://u@h/d", "password_ref": "hunter2"}`:           "body.password_ref",
		`{"name": "north", "url": "postgres://u@h/d", "password_ref": "env:HOMEROOM_NONE"}`: "body.password_ref",
		`{"name": "north", "url": "postgres://u@h/d", "password_ref": "file:/no/hunter2"}`:  "body.password_ref",
		`{"name": "North", "url": "postgres://u@h/d"}`:                                      "body.name",
		`{"name": "primary", "url": "postgres://u@h/d"}`:                                    "body.name",
		`{"name": "north", "url": "postgres://u@h/d", "capacity": 0}`:                       "body.capacity",
		`{"name": "north", "url": "postgres://u@h/d", "kind": "rented"}`:                    "body.kind",
		`{"name": "north"}`: "url",
	} {
		p.call(t, "POST", "databases/", body).want(t, http.StatusUnprocessableEntity, want, "!hunter2")
	}
	made := p.call(t, "POST", "databases/", object{"name": "north", "url": "postgres://u@127.0.0.1:1/d"}).
		want(t, http.StatusCreated, `"kind":"shared"`, `"capacity":500`, `"is_active":true`, `"password_ref":null`, "Location: /api/v1/system/databases/north/")
	p.call(t, "POST", "databases/", object{"name": "north", "url": "postgres://u@h/d"}).want(t, http.StatusConflict, "body.name")
	if names := p.call(t, "GET", "databases/", nil).names(t, "name"); strings.Join(names, " ") != "north" {
		t.Error(names)
	}
	if got := p.call(t, "GET", one, nil).want(t, http.StatusOK); got.etag() != made.etag() {
		t.Error("another ETag")
	}
	p.call(t, "GET", one, nil, "If-None-Match: "+made.etag()).want(t, http.StatusNotModified)
	p.call(t, "GET", "databases/south/", nil).want(t, http.StatusNotFound)

	// One that can't be reached takes no school, and nothing is left of the attempt.
	school := object{"name": "Elm", "code": "elm", "database": "north"}
	before := p.snapshot(t)
	if r := p.call(t, "POST", "schools/", school).want(t, http.StatusServiceUnavailable, "database-unavailable", "Retry-After"); strings.Contains(r.text, "127.0.0.1") {
		t.Errorf("it tells the address: %s", r.text)
	}
	if after := p.snapshot(t); after != before {
		t.Errorf("left behind: %s", after)
	}
	changed := p.call(t, "PATCH", one, `{"is_active": false, "capacity": 7}`, "If-Match: "+made.etag()).want(t, http.StatusOK, `"capacity":7`, `"is_active":false`)
	p.call(t, "PATCH", one, `{"capacity": 8}`, "If-Match: "+made.etag()).want(t, http.StatusPreconditionFailed)
	p.call(t, "PATCH", one, `{"url": "postgres://u:hunter2@h/d"}`).want(t, http.StatusUnprocessableEntity, "body.url", "!hunter2")
	p.call(t, "PATCH", one, `{"name": "south"}`).want(t, http.StatusUnprocessableEntity)
	p.call(t, "POST", "schools/", school).want(t, http.StatusConflict, "body.database")
	school["database"] = "west"
	p.call(t, "POST", "schools/", school).want(t, http.StatusUnprocessableEntity, "body.database")

	owner := p.token
	for role, status := range map[string]int{auth.RoleOperator: http.StatusForbidden, auth.RoleViewer: http.StatusForbidden} {
		p.token = p.key(t, role)
		p.call(t, "GET", one, nil).want(t, http.StatusOK)
		p.call(t, "POST", "databases/", object{"name": "x", "url": "postgres://u@h/d"}).want(t, status)
		p.call(t, "PATCH", one, `{"capacity": 8}`).want(t, status)
		p.call(t, "DELETE", one, nil).want(t, status)
	}
	p.token = owner
	p.call(t, "DELETE", one, nil, "If-Match: "+made.etag()).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", one, nil, "If-Match: "+changed.etag()).want(t, http.StatusNoContent)
	p.call(t, "GET", one, nil).want(t, http.StatusNotFound)
}
