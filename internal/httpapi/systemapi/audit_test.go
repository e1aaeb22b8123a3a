package systemapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
)

// deed is a request that changes something, and what the audit is to tell of it.
type deed struct {
	operation, method, path, body string
	action, tells                 string // tells: which of before and after the details have, and in what order; no action leaves no event
}

// deeds are one for each writing operation of the document, in an order in which all of them work.
func deeds(t *testing.T, p *place) []deed {
	t.Helper()
	school := p.school(t, object{"name": "One", "code": "one", "domains": []string{"a.example"}})
	id := strings.Split(school, "/")[1]
	b := "domains/" + p.call(t, "POST", school+"domains/", `{"domain":"b.example"}`).want(t, http.StatusCreated).id() + "/"
	contact := "whatsapp-contacts/" + p.call(t, "POST", "whatsapp-contacts/", `{"school_id":"`+id+`","phone":"+14155550123"}`).want(t, http.StatusCreated).id() + "/"
	grace := p.operator(t, "grace@example.org", auth.RoleViewer)
	key := "api-keys/" + p.call(t, "POST", "api-keys/", `{"name":"x","role":"viewer"}`).want(t, http.StatusCreated).id() + "/"
	return []deed{
		{"create-school", "POST", "schools/", `{"name":"Two","code":"two"}`, "school.create", "after"},
		{"replace-school", "PUT", school, `{"name":"Uno","code":"one"}`, "school.update", "before after"},
		{"update-school", "PATCH", school, `{"name":"Eins"}`, "school.update", "before after"},
		{"impersonate-school", "POST", school + "impersonate/", `{"reason":"to see"}`, "school.impersonate", ""},
		{"create-school-domain", "POST", school + "domains/", `{"domain":"c.example"}`, "domain.create", "after"},
		{"update-school-domain", "PATCH", school + b, `{"is_primary":true}`, "domain.make-primary", "before after"},
		{"delete-school-domain", "DELETE", p.domain(t, school, "a.example"), "", "domain.delete", "before"},
		{"replace-school-setup", "PUT", school + "setup/", `{"steps":[{"id":"a","title":"A","status":"done"}],"contacted_by":"Ada Lovelace"}`, "setup.update", "before after"},
		{"update-school-setup", "PATCH", school + "setup/", `{"steps":[]}`, "setup.update", "before after"},
		{"create-whatsapp-contact", "POST", "whatsapp-contacts/", `{"school_id":"` + id + `","phone":"+14155550124","display_name":"Ada Lovelace"}`, "whatsapp-contact.create", "after"},
		{"replace-whatsapp-contact", "PUT", contact, `{"school_id":"` + id + `","phone":"+14155550125"}`, "whatsapp-contact.update", "before after"},
		{"update-whatsapp-contact", "PATCH", contact, `{"display_name":"Ada Lovelace"}`, "whatsapp-contact.update", "before after"},
		{"delete-whatsapp-contact", "DELETE", contact, "", "whatsapp-contact.delete", "before"},
		{"create-database", "POST", "databases/", `{"name":"north","url":"postgres://u@h/d"}`, "database.create", "after"},
		{"update-database", "PATCH", "databases/north/", `{"capacity":7}`, "database.update", "before after"},
		{"delete-database", "DELETE", "databases/north/", "", "database.delete", "before"},
		{"create-api-key", "POST", "api-keys/", `{"name":"y","role":"viewer"}`, "api-key.create", "after"},
		{"revoke-api-key", "DELETE", key, "", "api-key.revoke", "before after"},
		{"create-operator", "POST", "operators/", `{"email":"x@example.org","full_name":"Ada Lovelace","role":"viewer","password":"` + password + `"}`, "operator.create", "after"},
		{"update-operator", "PATCH", grace, `{"full_name":"Ada Lovelace","role":"operator"}`, "operator.update", "before after"},
		{"set-operator-password", "POST", grace + "password/", `{"password":"` + password + `"}`, "operator.password", ""},
		{"disable-operator", "DELETE", grace, "", "operator.update", "before after"},
		{"delete-school", "DELETE", school, "", "school.delete", "before after"},
		{"restore-school", "POST", school + "restore/", "", "school.restore", "before after"},
		{"purge-school", "POST", school + "purge/", `{"confirm":"one"}`, "school.purge", "before"},
	}
}

// personal are the deeds of somebody who has logged in, and a place that is theirs.
func personal(t *testing.T, p *place) (*place, []deed) {
	t.Helper()
	id := strings.Split(p.operator(t, "ada@example.org", auth.RoleViewer), "/")[1]
	in := p.login(t, "ada@example.org", password).want(t, http.StatusOK).body
	theirs := *p
	theirs.token, theirs.actor = in["access_token"].(string), "operator:"+id
	token := `{"refresh_token":"` + in["refresh_token"].(string) + `"}`
	return &theirs, []deed{
		{"login", "POST", "auth/login/", `{"email":"ada@example.org","password":"` + password + `"}`, "operator.login", ""},
		{"refresh-tokens", "POST", "auth/refresh/", token, "", ""}, // the login has an event; one every few minutes would bury it
		{"logout", "POST", "auth/logout/", token, "operator.logout", ""},
		{"change-my-password", "POST", "me/password/", `{"current_password":"` + password + `","password":"another walk along the river"}`, "operator.password", ""},
	}
}

// Whatever writes by the document leaves an event with who, what, before and after, from where and by
// which request.
func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var done, secrets []string
	do := func(by *place, deeds []deed) {
		for _, d := range deeds {
			done = append(done, d.operation)
			answer := d.do(t, by)
			for _, name := range []string{"token", "access_token", "refresh_token"} {
				if token, ok := answer.body[name].(string); ok {
					secrets = append(secrets, token[strings.LastIndex(token, "_")+1:])
				}
			}
		}
	}
	do(p, deeds(t, p))
	do(personal(t, p))
	text := p.call(t, "GET", "audit-events/?limit=200", nil).text
	for _, secret := range append(secrets, "4155550", "Lovelace", "example.org", password, "secret", "hash") {
		if strings.Contains(text, secret) {
			t.Errorf("the audit tells %q", secret)
		}
	}
	for _, item := range systemapi.New(http.NewServeMux(), systemapi.Service{}, "test").OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil && !slices.Contains(done, op.OperationID) {
				t.Errorf("%s writes: it needs a deed here", op.OperationID)
			}
		}
	}
}

func TestAuditEvents(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := p.school(t, object{"name": "One", "code": "one"})
	p.school(t, object{"name": "Two", "code": "two"})
	id := strings.Split(one, "/")[1]
	p.call(t, "PATCH", one, `{"name":"Uno","domains":["z.example"]}`).want(t, http.StatusOK)

	all := p.call(t, "GET", "audit-events/", nil).want(t, http.StatusOK, `"before":{`, `"name":"One"`, `"name":"Uno"`, `"domain":"z.example"`)
	if got := all.names(t, "action"); !slices.Equal(got, []string{"school.update", "school.create", "school.create", "api-key.create"}) {
		t.Errorf("all: %v", got)
	}
	second := all.body["items"].([]any)[1].(object)["at"].(string)
	for query, want := range map[string][]string{
		"school=" + id: {"school.update", "school.create"}, "school=one": {"school.update", "school.create"}, "school=two": {"school.create"},
		"school=three": {}, "school=" + nobody: {}, "actor=shell": {"api-key.create"}, "actor=" + p.actor: {"school.update", "school.create", "school.create"},
		"action=school.create": {"school.create", "school.create"}, "action=school.create&school=one": {"school.create"},
		"since=" + second: {"school.update", "school.create"}, "until=" + second: {"school.create", "api-key.create"},
		"sort=at&limit=2": {"api-key.create", "school.create"}, "since=" + second + "&until=" + second: {},
	} {
		if got := p.call(t, "GET", "audit-events/?"+query, nil).names(t, "action"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	var pages []string
	for cursor := ""; ; {
		page := p.call(t, "GET", "audit-events/?limit=3&cursor="+cursor, nil)
		pages = append(pages, page.names(t, "action")...)
		next, more := page.body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if !slices.Equal(pages, all.names(t, "action")) {
		t.Errorf("by pages: %v", pages)
	}
	for _, query := range []string{"since=yesterday", "until=2026", "cursor=x", "sort=actor", "who=me"} {
		p.call(t, "GET", "audit-events/?"+query, nil).want(t, http.StatusUnprocessableEntity)
	}
	p.call(t, "GET", "audit-events/", nil, "Authorization: Bearer "+p.key(t, auth.RoleViewer)).want(t, http.StatusOK)
	p.call(t, "GET", "audit-events/", nil, "Authorization: x").want(t, http.StatusUnauthorized)
	p.call(t, "DELETE", "audit-events/", nil).want(t, http.StatusMethodNotAllowed)
}

// TestContactTaken holds that both schools are told of a contact that goes from one to the other.
func TestContactTaken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := strings.Split(p.school(t, object{"name": "One", "code": "one"}), "/")[1]
	two := strings.Split(p.school(t, object{"name": "Two", "code": "two"}), "/")[1]
	contact := "whatsapp-contacts/" + p.call(t, "POST", "whatsapp-contacts/", object{"school_id": one, "phone": "+14155550123"}).want(t, http.StatusCreated).id() + "/"
	p.call(t, "PATCH", contact, object{"display_name": "Ada"}).want(t, http.StatusOK)
	p.call(t, "PATCH", contact, object{"school_id": two}).want(t, http.StatusOK)
	for code, n := range map[string]int{"one": 2, "two": 1} {
		events := p.call(t, "GET", "audit-events/?action=whatsapp-contact.update&school="+code, nil).want(t, http.StatusOK, `"after":{"contact":"`, `"school_id":"`+two)
		if got := len(events.names(t, "id")); got != n {
			t.Errorf("%s: %d events", code, got)
		}
	}
}

// do carries the deed out and looks at the event that it leaves.
func (d deed) do(t *testing.T, p *place) reply {
	t.Helper()
	before := p.call(t, "GET", "audit-events/?limit=200", nil).names(t, "id")
	answer := p.call(t, d.method, d.path, d.body, "X-Request-Id: deed-"+d.operation)
	if answer.status >= 300 {
		t.Fatalf("%s: %s", d.operation, answer.text)
	}
	r := p.call(t, "GET", "audit-events/?limit=200", nil)
	left := len(r.names(t, "id")) - len(before)
	if d.action == "" && left == 0 {
		return answer
	}
	if left != 1 {
		t.Fatalf("%s left %d events", d.operation, left)
	}
	event := r.body["items"].([]any)[0].(object)
	details := event["details"].(object)
	var tells []string
	for _, name := range []string{"before", "after"} {
		if _, told := details[name]; told {
			tells = append(tells, name)
		}
	}
	if event["action"] != d.action || event["actor"] != p.actor || event["address"] != address || event["request_id"] != "deed-"+d.operation || strings.Join(tells, " ") != d.tells {
		t.Errorf("%s: %v", d.operation, event)
	}
	kind, _, _ := strings.Cut(d.action, ".")
	if hasSchool := !slices.Contains([]string{"api-key", "database", "operator"}, kind); hasSchool == (event["school_id"] == nil) {
		t.Errorf("%s: school %v", d.operation, event["school_id"])
	}
	return answer
}
