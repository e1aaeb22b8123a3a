package systemapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

const password = "a walk along the river"

// operator adds an operator who knows the password and returns the path.
func (p *place) operator(t *testing.T, email, role string) string {
	t.Helper()
	made := p.call(t, "POST", "operators/", object{"email": email, "full_name": "The " + role, "role": role, "password": password})
	return "operators/" + made.want(t, http.StatusCreated).id() + "/"
}

func (p *place) login(t *testing.T, email, password string) reply {
	t.Helper()
	return p.call(t, "POST", "auth/login/", object{"email": email, "password": password}, "Authorization: ")
}

// as is the header of somebody who has logged in.
func as(r reply) string { return "Authorization: Bearer " + r.body["access_token"].(string) }

func (p *place) refresh(t *testing.T, token any) reply {
	t.Helper()
	return p.call(t, "POST", "auth/refresh/", object{"refresh_token": token}, "Authorization: ")
}

func TestOperators(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := p.call(t, "POST", "operators/", object{"email": " Ada@Example.org", "full_name": " Ada Lovelace ", "role": "owner", "password": password}).
		want(t, http.StatusCreated, "Location: /api/v1/system/operators/", `"email":"ada@example.org","full_name":"Ada Lovelace","role":"owner","is_active":true,"has_password":true,"last_login_at":null`, "!"+password, "!argon2")
	ada := "operators/" + made.id() + "/"
	p.call(t, "POST", "operators/", object{"email": "ADA@example.org", "full_name": "x", "role": "viewer"}).want(t, http.StatusConflict, "email")
	grace := p.call(t, "POST", "operators/", object{"email": "grace@example.org", "full_name": "Grace", "role": "viewer"}).want(t, http.StatusCreated, `"has_password":false`)
	p.call(t, "GET", "operators/?sort=-email", nil).want(t, http.StatusOK, `[{"id":"`+grace.id(), "!argon2")
	before := p.call(t, "GET", ada, nil)
	p.call(t, "GET", ada, nil, "If-None-Match: "+before.etag()).want(t, http.StatusNotModified)
	p.login(t, "ada@example.org", password).want(t, http.StatusOK)
	p.call(t, "GET", ada, nil, "If-None-Match: "+before.etag()).want(t, http.StatusOK, `"last_login_at":"2`)
	made = p.call(t, "PATCH", ada, `{"full_name":"A"}`, "If-Match: "+before.etag()).want(t, http.StatusOK) // a login is no change

	p.call(t, "PATCH", ada, `{"full_name":"Ada"}`, `If-Match: "stale"`).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", ada, nil, `If-Match: "stale"`).want(t, http.StatusPreconditionFailed)
	p.call(t, "PATCH", ada, `{"full_name":"Ada","email":"COUNTESS@example.org"}`, "If-Match: "+made.etag()).want(t, http.StatusOK, `"email":"countess@example.org","full_name":"Ada"`)
	p.login(t, "ada@example.org", password).want(t, http.StatusUnauthorized)
	p.login(t, "countess@example.org", password).want(t, http.StatusOK)

	events := p.snapshot(t)
	for _, action := range []string{"operator.create", "operator.update", "operator.login,", "operator.login-refused"} {
		if !strings.Contains(events, action) {
			t.Errorf("no event %s", action)
		}
	}
	for _, line := range strings.Split(events, "\n") {
		if strings.HasPrefix(line, "audit_events") && (strings.Contains(line, "example.org") || strings.Contains(line, password) || strings.Contains(line, "argon2")) {
			t.Errorf("the audit tells of more than it should: %s", line)
		}
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada := p.operator(t, "ada@example.org", "viewer")
	in := p.login(t, "ada@example.org", password).want(t, http.StatusOK, "Cache-Control: no-store", `"expires_at":"2`, `"refresh_expires_at":"2`, "!argon2")
	p.call(t, "GET", "me/", nil, as(in)).want(t, http.StatusOK, `{"kind":"operator","id":"`+strings.Split(ada, "/")[1]+`","name":"The viewer","email":"ada@example.org","role":"viewer","scopes":[]}`)
	p.call(t, "GET", "me/", nil).want(t, http.StatusOK, `{"kind":"api-key","id":"`, `"name":"the owner","email":null,"role":"owner","scopes":[]}`)
	tag := "If-None-Match: " + p.call(t, "GET", "me/", nil, as(in)).etag()
	p.call(t, "GET", "me/", nil, as(in), tag).want(t, http.StatusNotModified)
	p.call(t, "GET", "me/", nil, tag).want(t, http.StatusOK, `"kind":"api-key"`)
	p.call(t, "GET", "schools/", nil, as(in)).want(t, http.StatusOK)
	p.call(t, "POST", "schools/", `{}`, as(in)).want(t, http.StatusForbidden)

	// A change counts with the next request, in tokens that are out too.
	p.call(t, "PATCH", ada, `{"role":"operator"}`).want(t, http.StatusOK)
	p.call(t, "POST", "schools/", `{}`, as(in)).want(t, http.StatusUnprocessableEntity)
	p.call(t, "GET", "me/", nil, as(in), tag).want(t, http.StatusOK, `"role":"operator"`)
	next := p.refresh(t, in.body["refresh_token"]).want(t, http.StatusOK)
	p.call(t, "DELETE", ada, nil).want(t, http.StatusNoContent)
	p.call(t, "GET", "schools/", nil, as(next)).want(t, http.StatusUnauthorized)
	p.refresh(t, next.body["refresh_token"]).want(t, http.StatusUnauthorized)
	p.login(t, "ada@example.org", password).want(t, http.StatusUnauthorized)

	// Once switched on again, what was out before stays ended.
	p.call(t, "PATCH", ada, `{"is_active":true}`).want(t, http.StatusOK)
	p.refresh(t, next.body["refresh_token"]).want(t, http.StatusUnauthorized)
	again := p.login(t, "ada@example.org", password).want(t, http.StatusOK)
	p.call(t, "POST", "auth/logout/", object{"refresh_token": again.body["refresh_token"]}, "Authorization: ").want(t, http.StatusNoContent)
	p.call(t, "POST", "auth/logout/", object{"refresh_token": "hrr_x"}, "Authorization: ").want(t, http.StatusNoContent)
	p.refresh(t, again.body["refresh_token"]).want(t, http.StatusUnauthorized)
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada := p.operator(t, "ada@example.org", "viewer")
	in := p.login(t, "ada@example.org", password).want(t, http.StatusOK)
	const another, third = "the second of three passwords", "the last of three passwords"
	change := func(current, next string, headers ...string) reply {
		return p.call(t, "POST", "me/password/", object{"current_password": current, "password": next}, headers...)
	}
	change("wrong", another, as(in)).want(t, http.StatusUnprocessableEntity, "body.current_password", "!wrong\"")
	change(password, "password1234", as(in)).want(t, http.StatusUnprocessableEntity, "body.password", "!password1234")
	change(password, another).want(t, http.StatusForbidden) // an API key
	change(password, another, as(in)).want(t, http.StatusNoContent)
	p.login(t, "ada@example.org", password).want(t, http.StatusUnauthorized)
	p.refresh(t, in.body["refresh_token"]).want(t, http.StatusUnauthorized)
	in = p.login(t, "ada@example.org", another).want(t, http.StatusOK)

	p.call(t, "POST", ada+"password/", object{"password": third}, as(in)).want(t, http.StatusForbidden)
	p.call(t, "POST", ada+"password/", object{"password": "short"}).want(t, http.StatusUnprocessableEntity, "body.password")
	p.call(t, "POST", ada+"password/", object{"password": third}).want(t, http.StatusNoContent)
	p.refresh(t, in.body["refresh_token"]).want(t, http.StatusUnauthorized)
	p.login(t, "ada@example.org", third).want(t, http.StatusOK)
	for _, secret := range []string{password, another, third} {
		if strings.Contains(p.snapshot(t), secret) {
			t.Error("a password is in the database")
		}
	}
}

// TestOffAlready holds that switching off an operator who is off is nothing to anybody.
func TestOffAlready(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada := p.operator(t, "ada@example.org", "viewer")
	p.call(t, "DELETE", ada, nil).want(t, http.StatusNoContent)
	off, before := p.call(t, "GET", ada, nil), p.snapshot(t)
	p.call(t, "DELETE", ada, nil, `If-Match: "stale"`).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", ada, nil, "If-Match: "+off.etag()).want(t, http.StatusNoContent)
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
}

func TestLastOwner(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada, grace := p.operator(t, "ada@example.org", "owner"), p.operator(t, "grace@example.org", "owner")
	p.operator(t, "viewer@example.org", "viewer")
	p.call(t, "DELETE", grace, nil).want(t, http.StatusNoContent)
	p.call(t, "DELETE", ada, nil).want(t, http.StatusConflict, "last active owner")
	p.call(t, "PATCH", ada, `{"role":"operator"}`).want(t, http.StatusConflict, "last active owner")
	p.call(t, "PATCH", ada, `{"is_active":false}`).want(t, http.StatusConflict, "last active owner")
	p.call(t, "PATCH", ada, `{"full_name":"Ada"}`).want(t, http.StatusOK)
	p.call(t, "PATCH", grace, `{"is_active":true}`).want(t, http.StatusOK)

	// Two who switch one another off at once: one of them stays. Both are held up until both have begun.
	conn, err := pgx.Connect(t.Context(), p.database)
	must(t, err)
	defer conn.Close(context.Background())
	hold, err := conn.Begin(t.Context())
	must(t, err)
	_, err = hold.Exec(t.Context(), "SELECT FROM operators FOR UPDATE")
	must(t, err)
	var group sync.WaitGroup
	for _, path := range []string{ada, grace} {
		group.Go(func() {
			if _, err := p.try("DELETE", path, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < 2; {
		_, err := hold.Exec(t.Context(), "SELECT pg_stat_clear_snapshot()") // a transaction sees no connections that are newer than its first look
		must(t, err)
		must(t, hold.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())").Scan(&waiting))
	}
	must(t, hold.Commit(t.Context()))
	group.Wait()
	active := 0
	for _, path := range []string{ada, grace} {
		if p.call(t, "GET", path, nil).want(t, http.StatusOK).body["is_active"] == true {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d owners are left", active)
	}
}

func TestOperatorRefusals(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{"POST", "operators/", `{}`, 422, []string{"body.email", "body.full_name", "body.role"}},
		{"POST", "operators/", `{"email":"no address","full_name":"x","role":"viewer"}`, 422, []string{"body.email"}},
		{"POST", "operators/", `{"email":"x <x@example.org>","full_name":"x","role":"viewer"}`, 422, []string{"body.email"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"  ","role":"viewer"}`, 422, []string{"body.full_name"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"a\nb","role":"viewer"}`, 422, []string{"body.full_name"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"admin"}`, 422, []string{"body.role"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"viewer","password":"qwertyuiop123"}`, 422, []string{"body.password", "!qwertyuiop123"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"viewer","password":"x@example.org1"}`, 422, []string{"body.password"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"viewer","id":"` + nobody + `"}`, 422, []string{"body.id"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"viewer","password_hash":"x"}`, 422, []string{"body.password_hash"}},
		{"POST", "operators/", `{"email":"x@example.org","full_name":"x","role":"viewer","is_active":false}`, 422, []string{"body.is_active"}},
		{"GET", "operators/NOBODY/", "", 404, []string{"operator"}},
		{"PATCH", "operators/NOBODY/", `{}`, 404, nil},
		{"DELETE", "operators/NOBODY/", "", 404, nil},
		{"POST", "operators/NOBODY/password/", `{"password":"a walk along the river"}`, 404, nil},
		{"POST", "auth/login/", `{"email":"x@example.org"}`, 422, []string{"body.password"}},
		{"POST", "auth/login/", `{"email":"x@example.org","password":"x","role":"owner"}`, 422, []string{"body.role"}},
		{"POST", "auth/refresh/", `{"refresh_token":"hrr_"}`, 401, nil},
	})
}

// TestMassAssignment holds that nobody gives themselves what the API alone decides.
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada := p.operator(t, "ada@example.org", "owner")
	school := p.school(t, object{"name": "One", "code": "one"})
	before := p.snapshot(t)
	for _, property := range []string{`"id":"` + nobody + `"`, `"password_hash":"x"`, `"has_password":true`, `"last_login_at":null`, `"created_at":null`} {
		p.call(t, "PATCH", ada, "{"+property+"}").want(t, http.StatusUnprocessableEntity)
	}
	for _, property := range []string{`"id":"` + nobody + `"`, `"state":"ready"`, `"schema_version":"9"`, `"schema_name":"public"`, `"database":"x"`} {
		p.call(t, "PATCH", school, "{"+property+"}").want(t, http.StatusUnprocessableEntity)
	}
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
}

func TestLoginFlood(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.operator(t, "ada@example.org", "viewer")
	said := map[string]bool{}
	for _, email := range []string{"ada@example.org", "nobody@example.org"} {
		for range 10 {
			p.login(t, email, "wrong").want(t, http.StatusUnauthorized)
		}
		r := p.login(t, email, password).want(t, http.StatusTooManyRequests, `"code":"rate-limited"`)
		if wait, err := time.ParseDuration(r.header.Get("Retry-After") + "s"); err != nil || wait <= 14*time.Minute || wait > 15*time.Minute {
			t.Errorf("Retry-After %v %v", wait, err)
		}
		said[r.body["detail"].(string)] = true
	}
	if len(said) != 1 {
		t.Errorf("it says which of the two exists: %v", said)
	}
}

// TestForeignTokens holds that what is meant for a school is no good here.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ada := strings.Split(p.operator(t, "ada@example.org", "owner"), "/")[1]
	id, err := uuid.Parse(ada)
	must(t, err)
	owner := auth.OperatorPrincipal(id, auth.RoleOwner)
	good, _, err := p.tokens.ForPlatform(owner, time.Hour)
	must(t, err)
	p.call(t, "GET", "operators/", nil, "Authorization: Bearer "+good).want(t, http.StatusOK)
	school, _, err := p.tokens.ForSchool(id, owner, time.Hour)
	must(t, err)
	user, _, err := p.tokens.ForPlatform(auth.Principal{Name: "user:" + ada, Role: auth.RoleOwner}, time.Hour)
	must(t, err)
	gone, _, err := p.tokens.ForPlatform(owner, -time.Second)
	must(t, err)
	in := p.login(t, "ada@example.org", password).want(t, http.StatusOK)
	for name, token := range map[string]string{"a school's": school, "a user's": user, "expired": gone, "a refresh token": in.body["refresh_token"].(string)} {
		if r := p.call(t, "GET", "operators/", nil, "Authorization: Bearer "+token); r.status != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, r.text)
		}
	}
}
