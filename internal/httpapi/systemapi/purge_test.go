package systemapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestPurgeAsync(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.runWatcher(t)
	school := p.school(t, object{"name": "One", "code": "one"})
	for _, prefer := range []string{"respond-async", "return=minimal, Respond-Async; wait=10"} {
		p.call(t, "POST", school+"purge/", `{"confirm":"two"}`, "Prefer: "+prefer).want(t, http.StatusUnprocessableEntity, "body.confirm")
	}
	if p.schemas(t) != 1 {
		t.Fatal("it is gone")
	}
	accepted := p.call(t, "POST", school+"purge/", `{"confirm":"one"}`, "Prefer: return=minimal, Respond-Async; wait=10", "X-Request-Id: deed").
		want(t, http.StatusAccepted, `"kind":"school.purge"`, `"school_code":"one"`, `"created_by":"`+p.actor+`"`, "Preference-Applied: respond-async")
	if location := accepted.header.Get("Location"); location != "/api/v1/system/operations/"+accepted.id()+"/" {
		t.Errorf("Location: %s", location)
	}
	s := p.watch(t, uuid.MustParse(accepted.id()), "")
	for e := range s.events {
		if e.name == "done" && !strings.Contains(e.data, `"state":"succeeded","progress":100`) {
			t.Errorf("%+v", e)
		}
	}
	p.call(t, "GET", school, nil).want(t, http.StatusNotFound)
	p.call(t, "GET", "operations/"+accepted.id()+"/", nil).want(t, http.StatusOK, `"state":"succeeded"`)
	p.call(t, "GET", "audit-events/?action=school.purge", nil).want(t, http.StatusOK, p.actor, `"request_id":"deed"`, address)
	if p.schemas(t) != 0 {
		t.Error("its schema is left")
	}
	again := p.school(t, object{"name": "One", "code": "one"})
	p.call(t, "POST", again+"purge/", `{"confirm":"one"}`, "Prefer: return=minimal").want(t, http.StatusNoContent, "!Preference-Applied")
	p.call(t, "POST", "schools/"+nobody+"/purge/", `{"confirm":"one"}`, "Prefer: respond-async").want(t, http.StatusNotFound)
}
