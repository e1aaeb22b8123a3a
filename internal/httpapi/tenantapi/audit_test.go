package tenantapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
)

// TestAudit holds that a school's admins, and nobody else, see who came to it.
func TestAudit(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	ada := p.invited(t, "ada@example.org", auth.RoleAdmin)
	p.accept(t, ada.Token).want(t, 200)
	p.login(t, "ada@example.org", "wrong").want(t, 401)
	in := p.login(t, "ada@example.org", password).want(t, 200)
	p.login(t, "nobody@example.org", password).want(t, 401)

	p.call(t, "GET", "audit-events/", nil, as(in)).want(t, 200, `"action":"user.login-refused"`, `"actor":"nobody"`, `"actor":"user:`+ada.ID.String()+`"`, `"details":{}`)
	var actions []string
	for cursor := ""; ; {
		page := p.call(t, "GET", "audit-events/?sort=at&limit=1&cursor="+url.QueryEscape(cursor), nil).want(t, 200)
		for _, item := range page.object["items"].([]any) {
			actions = append(actions, item.(object)["action"].(string))
		}
		next, more := page.object["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if want := []string{"user.invite-accepted", "user.login-refused", "user.login", "user.login-refused"}; !slices.Equal(actions, want) {
		t.Errorf("%v", actions)
	}
	for _, role := range []string{auth.RoleStaff, auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent} {
		p.call(t, "GET", "audit-events/", nil, "Authorization: Bearer "+p.tokenOf(t, role, time.Hour)).want(t, 403)
	}
	other.call(t, "GET", "audit-events/", nil).want(t, 200, `"items":[]`)
	p.call(t, "POST", "audit-events/", object{}).want(t, 405)
}

// TestUsersAreAudited holds that whatever writes a user leaves an event with who, what, before and after, from where
// and by which request, and that what is refused leaves none.
func TestUsersAreAudited(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	ada, in := p.member(t, "ada@example.org", auth.RoleAdmin)
	grace, made := p.user(t, "grace@example.org", auth.RoleTeacher)
	admin, her := "user:"+strings.Split(ada, "/")[1], strings.Split(grace, "/")[1]
	operator := "operator:" + uuid.NewString()
	impersonating, _, err := p.tokens.ForSchool(p.tenant.ID, auth.Principal{Name: operator, Role: auth.RoleAdmin}, time.Hour)
	must(t, err)
	bearers := map[string]string{admin: as(in), operator: "Authorization: Bearer " + impersonating}
	secrets := []string{invite(made)[37:], "example.org", "Lovelace", "Hopper", "hash"}
	var done []string
	for _, d := range []struct{ actor, operation, method, path, body, action, details string }{
		{operator, "create-user", "POST", "users/", `{"email":"x@example.org","full_name":"Hopper","role":"student"}`, "user.create", `{"after":{"is_active":true,"role":"student","user":"NEW"}}`},
		{admin, "update-user", "PATCH", grace, `{"email":"hopper@example.org","full_name":"Hopper","role":"staff"}`, "user.update", `{"after":{"is_active":true,"role":"staff","user":"HER"},"before":{"is_active":true,"role":"teacher","user":"HER"},"changed":["email","full_name"]}`},
		{operator, "update-user", "PATCH", grace, `{"is_active":false}`, "user.update", `{"after":{"is_active":false,"role":"staff","user":"HER"},"before":{"is_active":true,"role":"staff","user":"HER"},"changed":[]}`},
		{admin, "update-user", "PATCH", grace, `{"is_active":true}`, "user.update", `{"after":{"is_active":true,"role":"staff","user":"HER"},"before":{"is_active":false,"role":"staff","user":"HER"},"changed":[]}`},
		{operator, "invite-user", "POST", grace + "invite/", "", "user.invite", `{"until":"UNTIL","user":"HER"}`},
	} {
		done = append(done, d.operation)
		p.call(t, "PATCH", grace, object{"email": "x"}, bearers[d.actor]).want(t, 422)
		p.call(t, "PATCH", ada, object{"is_active": false}, bearers[d.actor]).want(t, 409)
		before := len(p.call(t, "GET", "audit-events/?limit=200", nil).ids(t))
		var body any
		if d.body != "" {
			body = d.body
		}
		answer := p.call(t, d.method, d.path, body, bearers[d.actor], "X-Request-Id: deed-1")
		events := p.call(t, "GET", "audit-events/?limit=200", nil).want(t, 200).object["items"].([]any)
		event, _ := events[0].(object)
		details, err := json.Marshal(event["details"])
		must(t, err)
		until, _ := answer.object["invite_expires_at"].(string)
		want := strings.NewReplacer("NEW", answer.id(), "HER", her, "UNTIL", until).Replace(d.details)
		if len(events) != before+1 || event["action"] != d.action || event["actor"] != d.actor || event["address"] != address || event["request_id"] != "deed-1" || string(details) != want {
			t.Errorf("%s: %d events, %v, want %s", d.operation, len(events)-before, event, want)
		}
		if token, invites := answer.object["invite"].(string); invites {
			secrets = append(secrets, token[37:])
		}
	}
	text := p.call(t, "GET", "audit-events/?limit=200", nil).text
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the audit tells %q", secret)
		}
	}
	for path, item := range tenantapi.New(http.NewServeMux(), nil, "test").OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Put, item.Post, item.Patch, item.Delete} {
			if strings.HasPrefix(path, "/api/v1/users/") && op != nil && !slices.Contains(done, op.OperationID) {
				t.Errorf("%s writes: it needs a deed here", op.OperationID)
			}
		}
	}
}
