package tenantapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

const password = "a walk along the river"

// invited invites somebody to the school and returns the invitation.
func (p *place) invited(t *testing.T, email, role string) auth.Invitation {
	t.Helper()
	made, err := auth.NewInvitation("body", email, "Ada Lovelace", role)
	must(t, err)
	must(t, auth.Invite(t.Context(), p.tenant.DB, made, time.Now()))
	return made
}

// open calls an operation that needs no token.
func (p *place) open(t *testing.T, path string, body object) reply {
	t.Helper()
	return p.call(t, "POST", "auth/"+path+"/", body, "Authorization: ")
}

func (p *place) accept(t *testing.T, token string) reply {
	t.Helper()
	return p.open(t, "accept-invite", object{"token": token, "password": password})
}

func (p *place) login(t *testing.T, email, password string) reply {
	t.Helper()
	return p.open(t, "login", object{"email": email, "password": password})
}

// as is the header of somebody who has logged in.
func as(r reply) string { return "Authorization: Bearer " + r.object["access_token"].(string) }

func TestInvitation(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	made := p.invited(t, "ada@example.org", auth.RoleTeacher)
	p.login(t, "ada@example.org", password).want(t, 401)
	other.accept(t, made.Token).want(t, 422, "body.token")
	p.open(t, "accept-invite", object{"token": made.Token, "password": "password1234"}).want(t, 422, "body.password")
	p.open(t, "accept-invite", object{"token": made.Token, "password": password, "role": "admin"}).want(t, 422, "body.role")
	in := p.accept(t, made.Token).want(t, 200)
	p.accept(t, made.Token).want(t, 422, "body.token")
	p.call(t, "GET", "me/", nil, as(in)).
		want(t, 200, `{"kind":"user","id":"`+made.ID.String()+`","email":"ada@example.org","full_name":"Ada Lovelace","role":"teacher"}`)
	p.call(t, "GET", "students/", nil, as(in)).want(t, 200)
	p.call(t, "POST", "students/", object{}, as(in)).want(t, 403)
	p.login(t, "Ada@Example.org", password).want(t, 200)
}

func TestMe(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	for _, role := range []string{auth.RoleAdmin, auth.RoleStaff, auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent} {
		in := p.accept(t, p.invited(t, role+"@example.org", role).Token)
		me := p.call(t, "GET", "me/", nil, as(in)).want(t, 200, `"role":"`+role+`"`)
		p.call(t, "GET", "me/", nil, as(in), "If-None-Match: "+me.header.Get("ETag")).want(t, http.StatusNotModified)
	}
	impersonating, _, err := p.tokens.ForSchool(p.tenant.ID, auth.Principal{Name: "api-key:1", Role: auth.RoleAdmin}, time.Hour)
	must(t, err)
	p.call(t, "GET", "me/", nil, "Authorization: Bearer "+impersonating).want(t, 200, `{"kind":"platform","id":null,"email":null,"full_name":null,"role":"admin"}`)
	p.call(t, "GET", "me/", nil, "Authorization: Bearer "+p.tokenOf(t, auth.RoleOwner, time.Hour)).want(t, 403)
	made := p.invited(t, "gone@example.org", auth.RoleAdmin)
	in := p.accept(t, made.Token)
	p.tenant.DB.RefreshToken.Delete().ExecX(t.Context())
	p.tenant.DB.User.DeleteOneID(made.ID).ExecX(t.Context())
	p.call(t, "GET", "me/", nil, as(in)).want(t, 401)
}

// TestSessions holds that what one school has let in is nothing to another, nor to the platform.
func TestSessions(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	first := p.accept(t, p.invited(t, "ada@example.org", auth.RoleAdmin).Token).want(t, 200)
	token := func(r reply) object { return object{"refresh_token": r.object["refresh_token"]} }
	other.call(t, "GET", "students/", nil, as(first)).want(t, 401)
	other.open(t, "refresh", token(first)).want(t, 401)
	other.open(t, "logout", token(first)).want(t, 204)
	other.login(t, "ada@example.org", password).want(t, 401)

	second := p.open(t, "refresh", token(first)).want(t, 200)
	p.call(t, "GET", "students/", nil, as(second)).want(t, 200)
	p.open(t, "refresh", token(first)).want(t, 401) // a replay: the family ends
	p.open(t, "refresh", token(second)).want(t, 401)

	third := p.login(t, "ada@example.org", password).want(t, 200)
	p.open(t, "logout", token(third)).want(t, 204)
	p.open(t, "refresh", token(third)).want(t, 401)
	p.call(t, "GET", "students/", nil, "Authorization: Bearer "+third.object["refresh_token"].(string)).want(t, 401)

	platform, _, err := p.tokens.ForPlatform(auth.Principal{Name: "operator:1", Role: auth.RoleAdmin}, time.Hour)
	must(t, err)
	p.call(t, "GET", "students/", nil, "Authorization: Bearer "+platform).want(t, 401)
}

func TestLoginFlood(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	p.accept(t, p.invited(t, "ada@example.org", auth.RoleAdmin).Token).want(t, 200)
	said := map[string]bool{}
	for _, email := range []string{"ada@example.org", "nobody@example.org"} {
		for range 10 {
			p.login(t, email, "wrong").want(t, 401)
		}
		r := p.login(t, email, password).want(t, http.StatusTooManyRequests, `"code":"rate-limited"`)
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		detail, _ := r.object["detail"].(string)
		said[detail] = true
	}
	if len(said) != 1 || strings.Contains(strings.Join(keys(said), ""), "example.org") {
		t.Errorf("it says %v", said)
	}
	other.login(t, "ada@example.org", "wrong").want(t, 401) // the same address at another school is another account
}

func keys(m map[string]bool) (list []string) {
	for key := range m {
		list = append(list, key)
	}
	return list
}
