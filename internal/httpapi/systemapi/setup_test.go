package systemapi_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "One", "code": "one", "contacted_by": "Ada"})
	p.call(t, "GET", school+"setup/", nil).want(t, http.StatusOK, `"contacted_by":"Ada"`, "Etag: ")
	for _, step := range []struct{ method, body, progress, want string }{
		{"PATCH", `{"contacted_by":null}`, "not_started", `"contacted_by":null`},
		{"PATCH", `{"contacted_by":"Grace"}`, "not_started", `"contacted_by":"Grace"`},
		{"PATCH", `{"steps":[{"id":"a","title":"A","status":"pending"},{"id":"b","title":"B","status":"in_progress"}]}`, "in_progress", `"contacted_by":"Grace"`},
		{"PATCH", `{"steps":[{"id":"a","title":"A","status":"pending"},{"id":"b","title":"B","status":"done"}]}`, "in_progress", `"id":"b"`},
		{"PATCH", `{"steps":[{"id":"a","title":"A","status":"skipped"},{"id":"b","title":"B","status":"done"}]}`, "completed", `"id":"a","title":"A","status":"skipped"`},
		{"PUT", `{"steps":[{"id":"a","title":"A","status":"pending"}]}`, "not_started", `"contacted_by":null`},
		{"PUT", `{"steps":[{"id":"a","title":"A","status":"skipped"}],"contacted_by":"Ada"}`, "completed", `"contacted_by":"Ada"`},
		{"PUT", `{"steps":[]}`, "not_started", `"steps":[]`},
	} {
		before := p.call(t, "GET", school+"setup/", nil)
		after := p.call(t, step.method, school+"setup/", step.body, "If-Match: "+before.etag()).want(t, http.StatusOK, step.want)
		p.call(t, "GET", school+"setup/", nil, "If-None-Match: "+after.etag()).want(t, http.StatusNotModified)
		p.call(t, step.method, school+"setup/", step.body, "If-Match: "+before.etag()).want(t, http.StatusPreconditionFailed)
		p.call(t, "GET", school, nil).want(t, http.StatusOK, `"setup_progress":"`+step.progress+`"`)
	}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := strings.Split(p.school(t, object{"name": "One", "code": "one"}), "/")[1]
	two := strings.Split(p.school(t, object{"name": "Two", "code": "two"}), "/")[1]
	made := p.call(t, "POST", "whatsapp-contacts/", object{"school_id": one, "phone": "+234 (0)803 123-4567", "display_name": "Grace"}).
		want(t, http.StatusCreated, `"phone":"+2348031234567","whatsapp_user_id":null,"display_name":"Grace"`, "Location: /api/v1/system/whatsapp-contacts/")
	path := "whatsapp-contacts/" + made.id() + "/"
	p.call(t, "POST", "whatsapp-contacts/", object{"school_id": two, "whatsapp_user_id": "NG.1"}).want(t, http.StatusCreated, `"phone":null,"whatsapp_user_id":"NG.1"`)
	p.call(t, "GET", path, nil, "If-None-Match: "+made.etag()).want(t, http.StatusNotModified)

	for query, phones := range map[string]int{
		"": 2, "school_id=" + one: 1, "school_id=" + nobody: 0, "phone=" + url.QueryEscape("+2348031234567"): 1,
		"phone=" + url.QueryEscape("+234 (0)803 123-4567"): 1, "phone=" + url.QueryEscape("+2348031234568"): 0, "search=GRACE": 1, "search=80312": 1, "search=" + url.QueryEscape("+234 803 123 4567"): 1, "search=x": 0, "sort=-created_at": 2,
	} {
		if got := p.call(t, "GET", "whatsapp-contacts/?"+query, nil).names(t, "id"); len(got) != phones {
			t.Errorf("%s: %v", query, got)
		}
	}
	for _, step := range []struct {
		method, body string
		status       int
		want         string
	}{
		{"PATCH", `{"display_name":null}`, 200, `"phone":"+2348031234567","whatsapp_user_id":null,"display_name":null`},
		{"PATCH", `{"whatsapp_user_id":"NG.2","display_name":"G"}`, 200, `"phone":"+2348031234567","whatsapp_user_id":"NG.2","display_name":"G"`},
		{"PATCH", `{"phone":null}`, 200, `"phone":null,"whatsapp_user_id":"NG.2"`},
		{"PATCH", `{"whatsapp_user_id":null}`, 422, `"body.phone"`},
		{"PATCH", `{"whatsapp_user_id":"NG.1"}`, 409, `"body.whatsapp_user_id"`},
		{"PATCH", `{"school_id":"` + two + `"}`, 200, `"school_id":"` + two},
		{"PATCH", `{"school_id":"` + nobody + `"}`, 422, `"body.school_id"`},
		{"PUT", `{"school_id":"` + one + `","phone":"+14155550123"}`, 200, `"phone":"+14155550123","whatsapp_user_id":null,"display_name":null`},
		{"PUT", `{"school_id":"` + one + `"}`, 422, `"body.phone"`},
		{"PATCH", `{"phone":"+442079460000"}`, 200, `"phone":"+442079460000"`},
	} {
		before := p.call(t, "GET", path, nil)
		p.call(t, step.method, path, step.body, "If-Match: "+before.etag()).want(t, step.status, step.want)
		if step.status == http.StatusOK {
			p.call(t, step.method, path, step.body, "If-Match: "+before.etag()).want(t, http.StatusPreconditionFailed)
		}
	}
	p.call(t, "DELETE", path, nil, "If-Match: "+made.etag()).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", path, nil).want(t, http.StatusNoContent)
	p.call(t, "DELETE", path, nil).want(t, http.StatusNotFound)
}

// A number that a school has goes to another school by a change of the contact alone, which the audit tells of
// and the next message finds.
func TestContactMoves(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- p.registry.Run(ctx) }() // so that where a contact leads is remembered
	t.Cleanup(func() {
		stop()
		must(t, <-ran)
	})
	const phone = "+2348031234567"
	ids := map[string]string{}
	for _, code := range []string{"one", "two"} {
		ids[code] = strings.Split(p.school(t, object{"name": code, "code": code}), "/")[1]
	}
	leads := func(code string) {
		t.Helper()
		if tenant, err := p.registry.ByContact(t.Context(), phone); err != nil || tenant.Code != code {
			t.Errorf("it leads to %+v, not to %s: %v", tenant, code, err)
		}
	}
	path := "whatsapp-contacts/" + p.call(t, "POST", "whatsapp-contacts/", object{"school_id": ids["one"], "phone": phone}).want(t, http.StatusCreated).id() + "/"
	leads("one")
	for _, code := range []string{"one", "two"} {
		p.call(t, "POST", "whatsapp-contacts/", object{"school_id": ids[code], "phone": "+234 803 123 4567"}).want(t, http.StatusConflict, `"conflict"`, "body.phone", "the same phone")
		leads("one")
	}
	for i, to := range []string{"two", "one", "two", "one"} {
		method := []string{"PATCH", "PUT"}[i/2]
		p.call(t, method, path, object{"school_id": ids[to], "phone": phone}).want(t, http.StatusOK, ids[to])
		leads(to)
		from := ids[map[string]string{"one": "two", "two": "one"}[to]]
		event := p.call(t, "GET", "audit-events/?limit=1", nil).body["items"].([]any)[0].(object)
		details := event["details"].(object)
		if event["action"] != "whatsapp-contact.update" || event["school_id"] != ids[to] || details["before"].(object)["school_id"] != from || details["after"].(object)["school_id"] != ids[to] {
			t.Errorf("the audit tells of %v", event)
		}
	}
}
