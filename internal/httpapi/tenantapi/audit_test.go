package tenantapi_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
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
