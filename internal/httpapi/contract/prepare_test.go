package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// system returns the system API as its owner uses it, and school that of oak as its admin does.
func (s *service) system(t *testing.T) *api {
	t.Helper()
	a := &api{service: s, document: s.document(t, systemHost), host: systemHost, role: auth.RoleOwner, tokens: map[string]string{}, kept: map[string]object{}}
	for _, role := range []string{auth.RoleOwner, auth.RoleOperator, auth.RoleViewer} {
		var err error
		_, a.tokens[role], err = s.platform.CreateKey(t.Context(), platform.Shell, platform.NewKey{Name: role, Role: role})
		must(t, err)
	}
	return a
}

func (s *service) schoolAPI(t *testing.T) *api {
	t.Helper()
	a := &api{service: s, document: s.document(t, schoolHost), host: schoolHost, role: auth.RoleAdmin, tokens: map[string]string{}, kept: map[string]object{}}
	for _, role := range []string{auth.RoleAdmin, auth.RoleStaff, auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent} {
		var err error
		a.tokens[role], _, err = s.tokens.ForSchool(s.school, auth.Principal{Name: "operator:" + uuid.NewString(), Role: role}, time.Hour)
		must(t, err)
	}
	return a
}

// prepare adds to a call what the document can't say in its schemas: a rule between two properties, or a state
// that a record must be in.
func (a *api) prepare(t *testing.T, c *call, w wish) {
	t.Helper()
	body, _ := c.body.(object)
	switch c.op.id {
	case "login":
		c.body = a.account(t, w)
	case "logout", "refresh-tokens":
		body["refresh_token"] = a.login(t, w)["refresh_token"]
	case "change-my-password":
		body["current_password"] = password
		c.header["Authorization"] = "Bearer " + a.login(t, w)["access_token"].(string)
	case "accept-invite":
		body["token"] = a.invitation(t, a.email())
	case "get-me":
		if w.full { // else it is a program, or somebody of the platform
			c.header["Authorization"] = "Bearer " + a.login(t, w)["access_token"].(string)
		}
	case "purge-school":
		school := a.record(t, schools, schools, w)
		c.path["id"], body["confirm"], c.header["Prefer"] = school["id"].(string), school["code"], preference(w)
	case "restore-school":
		c.path["id"] = a.record(t, schools, schools, w)["id"].(string)
		if w.fresh {
			a.must(t, "DELETE", schools+c.path["id"]+"/", nil, nil)
		}
	case "get-operation", "watch-operation":
		c.path["id"] = a.finished(t)
		if w.full && c.op.id == "watch-operation" {
			c.header["Last-Event-ID"] = a.lastEvent(t, fill(c.op.path, c.path))
		}
	case "create-database", "update-database":
		delete(body, "password_ref") // names a variable that is not there
	case "create-whatsapp-contact", "replace-whatsapp-contact":
		if body["phone"] == nil { // one of the two things that WhatsApp knows somebody by
			a.made++
			body["phone"] = unique("+2348031234567", a.made)
		}
	case "update-enrollment", "replace-enrollment":
		a.sameEnrollment(t, c, w)
	case "update-user":
		a.account(t, wish{}) // of an admin: the last one can't be switched off
	}
}

const schools = "/api/v1/system/schools/"

// preference has what takes long done later, in one of two calls.
func preference(w wish) string {
	if w.full {
		return "respond-async"
	}
	return ""
}

// sameEnrollment leaves an enrollment its student and its class, which never change.
func (a *api) sameEnrollment(t *testing.T, c *call, w wish) {
	t.Helper()
	all, _, _ := strings.Cut(c.op.path, "{")
	record := a.record(t, all, all, w)
	c.path["id"] = record["id"].(string)
	for name := range c.body.(object) {
		if strings.HasSuffix(name, "_id") {
			c.body.(object)[name] = record[name]
		}
	}
}

// must sends a request of somebody who may do everything, and takes nothing but success.
func (a *api) must(t *testing.T, method, path string, body any, header map[string]string) answer {
	t.Helper()
	all := map[string]string{"Authorization": "Bearer " + a.tokens[a.role]}
	for name, value := range header {
		all[name] = value
	}
	got := a.send(t, a.host, request{method: method, path: path, body: body, header: all})
	if got.status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, got.status, got.text)
	}
	return got
}

func (a *api) email() string {
	a.made++
	return unique("ada@example.org", a.made)
}

// account returns the credentials of somebody.
func (a *api) account(t *testing.T, w wish) object {
	t.Helper()
	return a.keep("account", w, func() object {
		email := a.email()
		if a.host == systemHost {
			a.must(t, "POST", "/api/v1/system/operators/", object{"email": email, "full_name": "Ada", "role": a.role, "password": password}, nil)
		} else {
			a.must(t, "POST", "/api/v1/auth/accept-invite/", object{"token": a.invitation(t, email), "password": password}, nil)
		}
		return object{"email": email, "password": password}
	})
}

// login returns the tokens of somebody.
func (a *api) login(t *testing.T, w wish) object {
	t.Helper()
	root := "/api/v1/"
	if a.host == systemHost {
		root = "/api/v1/system/"
	}
	return a.keep("login", w, func() object { return a.must(t, "POST", root+"auth/login/", a.account(t, w), nil).object() })
}

// invitation returns the token of somebody who is invited to oak.
func (a *api) invitation(t *testing.T, email string) string {
	t.Helper()
	made, err := auth.NewInvitation("body", email, "Ada Lovelace", auth.RoleAdmin)
	must(t, err)
	school, err := a.registry.ByHost(t.Context(), schoolHost)
	must(t, err)
	must(t, auth.Invite(t.Context(), school.DB, made, time.Now()))
	return made.Token
}

// finished returns the id of an operation that has come to its end.
func (a *api) finished(t *testing.T) string {
	t.Helper()
	return a.keep("operation", wish{}, func() object {
		school := a.record(t, schools, schools, wish{fresh: true})
		async := map[string]string{"Prefer": "respond-async"}
		return a.must(t, "POST", schools+school["id"].(string)+"/purge/", object{"confirm": school["code"]}, async).object()
	})["id"].(string)
}

// lastEvent returns the id of the last event that a stream has.
func (a *api) lastEvent(t *testing.T, path string) string {
	t.Helper()
	text := string(a.must(t, "GET", path, nil, nil).text)
	id, _, _ := strings.Cut(text[strings.LastIndex(text, "id: ")+len("id: "):], "\n")
	return id
}
