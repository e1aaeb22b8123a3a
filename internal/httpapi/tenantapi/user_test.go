package tenantapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/auth"
)

const another = "another walk along the river"

// user creates a user and returns their path, and the answer with the invitation.
func (p *place) user(t *testing.T, email, role string) (string, reply) {
	t.Helper()
	made := p.call(t, "POST", "users/", object{"email": email, "full_name": "Ada Lovelace", "role": role}).want(t, 201)
	return "users/" + made.id() + "/", made
}

// member creates a user who has accepted the invitation, and returns their path and the tokens.
func (p *place) member(t *testing.T, email, role string) (string, reply) {
	t.Helper()
	one, made := p.user(t, email, role)
	return one, p.accept(t, invite(made)).want(t, 200)
}

func invite(r reply) string { return r.object["invite"].(string) }

func refreshing(r reply) object { return object{"refresh_token": r.object["refresh_token"]} }

func TestInvitedAgain(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	one, made := p.user(t, " Ada@Example.org ", auth.RoleAdmin)
	made.want(t, 201, `"email":"ada@example.org"`, `"has_password":false`, `"is_active":true`, `"last_login_at":null`, `"invite":"hri_`)
	ends, err := time.Parse(time.RFC3339, made.object["invite_expires_at"].(string))
	if left := time.Until(ends); err != nil || left < 167*time.Hour || left > 168*time.Hour {
		t.Errorf("good until %v, %v", ends, err)
	}
	if made.header.Get("Location") != "/api/v1/"+one || strings.Contains(p.call(t, "GET", one, nil).want(t, 200).text, "hri_") {
		t.Errorf("Location %s, or the invitation is shown twice", made.header.Get("Location"))
	}
	// It was lost.
	again := p.call(t, "POST", one+"invite/", nil).want(t, 200, `"has_password":false`)
	p.accept(t, invite(made)).want(t, 422, "body.token")
	other.accept(t, invite(again)).want(t, 422, "body.token")
	// It has expired.
	p.tenant.DB.User.UpdateOneID(uuid.MustParse(made.id())).SetInviteExpiresAt(time.Now().Add(-time.Second)).ExecX(t.Context())
	p.accept(t, invite(again)).want(t, 422, "body.token")
	last := p.call(t, "POST", one+"invite/", nil).want(t, 200)
	in := p.accept(t, invite(last)).want(t, 200)
	p.call(t, "GET", one, nil, as(in)).want(t, 200, `"has_password":true`, `"invite_expires_at":null`)
	p.login(t, "ada@example.org", password).want(t, 200)
	for _, token := range []string{invite(made), invite(again), invite(last)} {
		p.accept(t, token).want(t, 422, "body.token")
	}
}

// TestForgottenPassword holds that an invitation takes the place of a password only once it is accepted.
func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	one, in := p.member(t, "ada@example.org", auth.RoleTeacher)
	_, bystander := p.member(t, "grace@example.org", auth.RoleTeacher)
	made := p.call(t, "POST", one+"invite/", nil).want(t, 200, `"has_password":true`)
	in = p.open(t, "refresh", refreshing(in)).want(t, 200)
	second := p.login(t, "ada@example.org", password).want(t, 200)

	anew := p.open(t, "accept-invite", object{"token": invite(made), "password": another}).want(t, 200)
	p.open(t, "refresh", refreshing(in)).want(t, 401)
	p.open(t, "refresh", refreshing(second)).want(t, 401)
	p.login(t, "ada@example.org", password).want(t, 401)
	p.open(t, "refresh", refreshing(anew)).want(t, 200)
	p.login(t, "ada@example.org", another).want(t, 200)
	p.open(t, "refresh", refreshing(bystander)).want(t, 200)
}

// TestSwitchedOff holds that somebody who is switched off, or has another role, is so with the next request.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	one, in := p.member(t, "ada@example.org", auth.RoleStaff)
	_, bystander := p.member(t, "grace@example.org", auth.RoleStaff)
	invited := p.call(t, "POST", one+"invite/", nil).want(t, 200)
	p.call(t, "GET", "students/", nil, as(in)).want(t, 200)
	other.call(t, "PATCH", one, object{"is_active": false}).want(t, 404)

	p.call(t, "PATCH", one, object{"is_active": false}).want(t, 200, `"is_active":false`, `"invite_expires_at":null`)
	for _, path := range []string{"students/", "me/", "school/", one} {
		p.call(t, "GET", path, nil, as(in)).want(t, 401, `"code":"unauthenticated"`)
	}
	p.open(t, "refresh", refreshing(in)).want(t, 401)
	p.login(t, "ada@example.org", password).want(t, 401)
	p.accept(t, invite(invited)).want(t, 422, "body.token")
	p.call(t, "POST", one+"invite/", nil).want(t, 409, `"code":"conflict"`)
	p.open(t, "refresh", refreshing(bystander)).want(t, 200)

	p.call(t, "PATCH", one, object{"is_active": true}).want(t, 200)
	p.open(t, "refresh", refreshing(in)).want(t, 401)
	p.accept(t, invite(invited)).want(t, 422, "body.token")
	in = p.login(t, "ada@example.org", password).want(t, 200)
	p.call(t, "PATCH", one, object{"role": "guardian"}).want(t, 200)
	p.call(t, "GET", "students/", nil, as(in)).want(t, 403)
	p.call(t, "GET", "me/", nil, as(in)).want(t, 200, `"role":"guardian"`)
	p.call(t, "PATCH", one, object{"role": "admin"}).want(t, 200)
	p.call(t, "GET", "users/", nil, as(in)).want(t, 200)
}

// TestInvitationOfAnotherAddress holds that an invitation is of no use to whom it was sent to by mistake.
func TestInvitationOfAnotherAddress(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	one, made := p.user(t, "ada@exmaple.org", auth.RoleTeacher)
	p.call(t, "PATCH", one, object{"full_name": "Ada King", "role": "staff"}).want(t, 200)
	p.call(t, "GET", one, nil).want(t, 200, made.object["invite_expires_at"].(string))
	p.call(t, "PATCH", one, object{"email": "Ada@example.org"}).want(t, 200, `"email":"ada@example.org"`, `"invite_expires_at":null`)
	p.accept(t, invite(made)).want(t, 422, "body.token")
	p.accept(t, invite(p.call(t, "POST", one+"invite/", nil).want(t, 200))).want(t, 200)
	p.login(t, "ada@example.org", password).want(t, 200)
}

func TestLastAdmin(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	ada, made := p.user(t, "ada@example.org", auth.RoleAdmin)
	off, demoted := object{"is_active": false}, object{"role": "staff"}
	p.call(t, "PATCH", ada, off).want(t, 409, `"code":"conflict"`) // nobody else is even invited
	grace, _ := p.user(t, "grace@example.org", auth.RoleAdmin)
	p.call(t, "PATCH", ada, off).want(t, 200)
	p.call(t, "PATCH", ada, object{"is_active": true}).want(t, 200)
	p.accept(t, invite(made)).want(t, 422)
	p.accept(t, invite(p.call(t, "POST", ada+"invite/", nil))).want(t, 200)
	for _, change := range []object{off, demoted} { // she who was invited may never come
		p.call(t, "PATCH", ada, change).want(t, 409, `"code":"conflict"`)
	}
	p.call(t, "PATCH", ada, object{"full_name": "Ada King"}).want(t, 200)
	p.call(t, "PATCH", grace, demoted).want(t, 200)
	p.call(t, "PATCH", grace, object{"role": "admin"}).want(t, 200)
	p.accept(t, invite(p.call(t, "POST", grace+"invite/", nil))).want(t, 200)

	// Both go at once: one stays, in whichever order.
	two := []string{ada, grace}
	got := together(t, 8, func(i int) (reply, error) { return p.try("PATCH", two[i%2], []object{off, demoted}[i/2%2]) })
	if got[200]+got[409] != 8 || got[409] == 0 {
		t.Errorf("statuses %v", got)
	}
	active := p.call(t, "GET", "users/?role=admin&is_active=true", nil).ids(t)
	if len(active) != 1 {
		t.Fatalf("%d admins stay", len(active))
	}
	stays := "users/" + active[0] + "/"
	goes := two[1-slices.Index(two, stays)]
	p.call(t, "PATCH", goes, object{"role": "admin", "is_active": true}).want(t, 200)
	p.during(t, func(tx *tenantdb.Client) error {
		return tx.User.UpdateOneID(uuid.MustParse(active[0])).SetIsActive(false).Exec(t.Context())
	}, "PATCH", goes, off).want(t, 409)
}

func TestSameAddressAtOnce(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	emails := []string{"ada@example.org", "Ada@Example.org", "ADA@EXAMPLE.ORG "}
	got := together(t, 8, func(i int) (reply, error) {
		return p.try("POST", "users/", object{"email": emails[i%3], "full_name": "Ada", "role": "teacher"})
	})
	if got[201] != 1 || got[409] != 7 {
		t.Errorf("statuses %v", got)
	}
	p.call(t, "POST", "users/", object{"email": "aDa@example.org", "full_name": "x", "role": "admin"}).want(t, 409, `"location":"body.email"`)
	grace, _ := p.user(t, "grace@example.org", auth.RoleTeacher)
	p.call(t, "PATCH", grace, object{"email": "ADA@example.org"}).want(t, 409, `"location":"body.email"`)
	other.user(t, "ada@example.org", auth.RoleTeacher)
	if events := p.call(t, "GET", "audit-events/", nil).ids(t); len(events) != 2 {
		t.Errorf("%d events for two users", len(events))
	}
}

// TestInvitedAtOnce holds that of many invitations the last is good, and no other.
func TestInvitedAtOnce(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	one, made := p.user(t, "ada@example.org", auth.RoleTeacher)
	tokens := [7]string{6: invite(made)}
	together(t, 6, func(i int) (reply, error) {
		r, err := p.try("POST", one+"invite/", nil)
		tokens[i] = invite(r)
		return r, err
	})
	got := together(t, len(tokens), func(i int) (reply, error) {
		return p.try("POST", "auth/accept-invite/", object{"token": tokens[i], "password": password}, "Authorization: ")
	})
	if got[200] != 1 || got[422] != 6 {
		t.Errorf("statuses %v", got)
	}
}

func TestUserIsMadeOnce(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	body, key := object{"email": "ada@example.org", "full_name": "Ada", "role": "teacher"}, "Idempotency-Key: one"
	first := p.call(t, "POST", "users/", body, key).want(t, 201)
	if again := p.call(t, "POST", "users/", body, key).want(t, 201); invite(again) != invite(first) {
		t.Error("another invitation")
	}
	one := "users/" + first.id() + "/"
	second := p.call(t, "POST", one+"invite/", nil, "Idempotency-Key: two").want(t, 200)
	if again := p.call(t, "POST", one+"invite/", nil, "Idempotency-Key: two").want(t, 200); invite(again) != invite(second) {
		t.Error("another invitation")
	}
	p.accept(t, invite(second)).want(t, 200)
}

func TestUserRefusals(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	one, made := p.user(t, "ada@example.org", auth.RoleTeacher)
	valid := object{"email": "x@example.org", "full_name": "x", "role": "teacher"}
	nobody := "users/" + uuid.NewString() + "/"
	before := p.call(t, "GET", one, nil)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		holds        string
	}{
		{"POST", "users/", with(valid, object{"email": "no address"}), 422, "body.email"},
		{"POST", "users/", with(valid, object{"email": "Ida <ida@example.org>"}), 422, "body.email"},
		{"POST", "users/", with(valid, object{"full_name": " "}), 422, "body.full_name"},
		{"POST", "users/", with(valid, object{"full_name": "a\u0007b"}), 422, "body.full_name"},
		{"POST", "users/", with(valid, object{"role": "owner"}), 422, "body.role"},
		{"POST", "users/", with(valid, object{"role": nil}), 422, "body.role"},
		{"POST", "users/", with(valid, object{"is_active": false}), 422, "body.is_active"},
		{"POST", "users/", with(valid, object{"password": password}), 422, "body.password"},
		{"PATCH", one, object{"email": "no address"}, 422, "body.email"},
		{"PATCH", one, object{"full_name": " \t"}, 422, "body.full_name"},
		{"PATCH", one, object{"role": "owner"}, 422, "body.role"},
		{"PATCH", one, object{"is_active": nil}, 422, "body.is_active"},
		{"PATCH", one, object{"has_password": true}, 422, "body.has_password"},
		{"PATCH", nobody, object{}, 404, `"code":"not-found"`},
		{"GET", nobody, nil, 404, `"code":"not-found"`},
		{"POST", nobody + "invite/", nil, 404, `"code":"not-found"`},
		{"PUT", one, valid, 405, ""},
		{"DELETE", one, nil, 405, ""},
		{"GET", "users/?is_active=maybe", nil, 422, "query.is_active"},
		{"GET", "users/?role=owner", nil, 422, "query.role"},
	} {
		if got := p.call(t, c.method, c.path, c.body); got.status != c.status || !strings.Contains(got.text, c.holds) {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.body, got.status, got.text)
		}
	}
	p.call(t, "PATCH", one, object{}, `If-Match: "stale"`).want(t, 412)
	for _, c := range []struct{ method, path string }{{"GET", "users/"}, {"POST", "users/"}, {"GET", one}, {"PATCH", one}, {"POST", one + "invite/"}} {
		body := any(object{})
		if c.method == "GET" {
			body = nil
		}
		for _, role := range []string{auth.RoleStaff, auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent} {
			p.call(t, c.method, c.path, body, "Authorization: Bearer "+p.tokenOf(t, role, time.Hour)).want(t, 403)
		}
		p.call(t, c.method, c.path, body, "Authorization: Bearer "+other.token).want(t, 401)
		p.call(t, c.method, c.path, body, "Authorization: ").want(t, 401)
	}
	p.call(t, "GET", one, nil, "If-None-Match: "+before.header.Get("ETag")).want(t, http.StatusNotModified)
	p.accept(t, invite(made)).want(t, 200)
	p.call(t, "GET", one, nil, "If-None-Match: "+before.header.Get("ETag")).want(t, 200)
}
