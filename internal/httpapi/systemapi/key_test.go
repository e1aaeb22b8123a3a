package systemapi_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := p.call(t, "POST", "api-keys/", object{"name": "billing", "role": "viewer", "expires_at": "2100-01-01T02:00:00.1234567+02:00"}).
		want(t, http.StatusCreated, `"expires_at":"2100-01-01T00:00:00.123456Z","last_used_at":null,"revoked_at":null`, "Location: /api/v1/system/api-keys/")
	token, path := made.body["token"].(string), "api-keys/"+made.id()+"/"
	if !regexp.MustCompile(`^hr_[0-9a-f]{32}_[a-z2-7]{32}$`).MatchString(token) {
		t.Errorf("token %s", token)
	}
	secret := token[strings.LastIndex(token, "_")+1:]
	p.call(t, "GET", path, nil).want(t, http.StatusOK, `"name":"billing"`, `"expires_at":"2100-01-01T00:00:00.123456Z"`, "!"+secret, "!token", "!hash")
	p.call(t, "GET", "api-keys/?sort=name", nil).want(t, http.StatusOK, `"name":"billing"`, "!"+secret, "!token", "!hash")
	if strings.Contains(p.snapshot(t), secret) {
		t.Error("the secret is in the database")
	}
	unused := "If-None-Match: " + p.call(t, "GET", path, nil).etag()
	p.call(t, "GET", path, nil, unused).want(t, http.StatusNotModified)
	p.call(t, "GET", "schools/", nil, "Authorization: bearer "+token).want(t, http.StatusOK)
	p.call(t, "GET", path, nil, unused).want(t, http.StatusOK, `"last_used_at":"2`)
	p.call(t, "DELETE", path, nil, `If-Match: "stale"`).want(t, http.StatusPreconditionFailed)
	p.call(t, "DELETE", path, nil, "If-Match: "+made.etag()).want(t, http.StatusNoContent)
	p.call(t, "GET", "schools/", nil, "Authorization: Bearer "+token).want(t, http.StatusUnauthorized)
	ended := p.call(t, "GET", path, nil).want(t, http.StatusOK, `"revoked_at":"2`)
	p.call(t, "DELETE", path, nil).want(t, http.StatusNoContent)
	if again := p.call(t, "GET", path, nil); again.body["revoked_at"] != ended.body["revoked_at"] {
		t.Error("a second revocation moved the time of the first")
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	expiring := p.call(t, "POST", "api-keys/", object{"name": "x", "role": "owner", "expires_at": time.Now().Add(time.Hour)}).body["token"].(string)
	p.call(t, "GET", "schools/", nil, "Authorization: Bearer "+expiring).want(t, http.StatusOK)
	foreign, _, err := p.tokens.ForSchool(uuid.New(), auth.Principal{Name: "x", Role: auth.RoleOwner}, time.Hour)
	must(t, err)
	now := p.url
	later := p.serve(t, func() time.Time { return time.Now().Add(time.Hour) })
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Basic " + p.token, p.token, "Bearer " + p.token + "x", "Bearer " + p.token[:len(p.token)-1], "Bearer " + strings.ToUpper(p.token),
		"Bearer hr_", "Bearer hr__", "Bearer hr_x_y", "Bearer hr_" + strings.ReplaceAll(nobody, "-", "") + "_" + strings.Repeat("a", 32), "Bearer " + foreign,
		"Bearer hr_{" + p.token[3:35] + "}" + p.token[35:], "Bearer hr_urn:uuid:" + p.token[3:], "Bearer " + p.token + ", Bearer " + p.token,
		"Bearer \xff", "Bearer hr_" + strings.Repeat("x", 9000), "Bearer ' OR 1=1 --", "later " + expiring,
	} {
		p.url = now
		if strings.HasPrefix(header, "later") {
			p.url, header = later, "Bearer "+expiring
		}
		for _, path := range []string{"schools/", "schools/" + nobody + "/", "api-keys/"} {
			r := p.call(t, "GET", path, nil, "Authorization: "+header).want(t, http.StatusUnauthorized, `"unauthenticated"`, "application/problem+json")
			if r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%q: no WWW-Authenticate", header)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	school := p.school(t, object{"name": "One", "code": "one", "domains": []string{"a.example"}})
	contact := "whatsapp-contacts/" + p.call(t, "POST", "whatsapp-contacts/", object{"school_id": strings.Split(school, "/")[1], "phone": "+14155550123"}).id() + "/"
	operator, viewer := p.key(t, auth.RoleOperator), p.key(t, auth.RoleViewer)
	const none, read, write = 1, 2, 3
	before := p.snapshot(t)
	for _, test := range []struct {
		method, path, body string
		least              int // none: for owners alone
	}{
		{"GET", "schools/", "", read},
		{"POST", "schools/", `{}`, write},
		{"GET", school, "", read},
		{"PUT", school, `{}`, write},
		{"PATCH", school, `{"name":""}`, write},
		{"DELETE", "schools/" + nobody + "/", "", write},
		{"POST", "schools/" + nobody + "/restore/", "", write},
		{"POST", school + "purge/", `{"confirm":"x"}`, none},
		{"POST", school + "impersonate/", `{}`, write},
		{"GET", school + "domains/", "", read},
		{"POST", school + "domains/", `{}`, write},
		{"GET", school + "domains/" + nobody + "/", "", read},
		{"PATCH", school + "domains/" + nobody + "/", `{}`, write},
		{"DELETE", school + "domains/" + nobody + "/", "", write},
		{"GET", "domains/", "", read},
		{"GET", school + "setup/", "", read},
		{"PUT", school + "setup/", `{}`, write},
		{"PATCH", school + "setup/", `{"steps":7}`, write},
		{"GET", "whatsapp-contacts/", "", read},
		{"POST", "whatsapp-contacts/", `{}`, write},
		{"GET", contact, "", read},
		{"PUT", contact, `{}`, write},
		{"PATCH", contact, `{"phone":7}`, write},
		{"DELETE", "whatsapp-contacts/" + nobody + "/", "", write},
		{"GET", "api-keys/", "", none},
		{"POST", "api-keys/", `{}`, none},
		{"GET", "api-keys/" + nobody + "/", "", none},
		{"DELETE", "api-keys/" + nobody + "/", "", none},
		{"GET", "operators/", "", none},
		{"POST", "operators/", `{}`, none},
		{"GET", "operators/" + nobody + "/", "", none},
		{"PATCH", "operators/" + nobody + "/", `{}`, none},
		{"DELETE", "operators/" + nobody + "/", "", none},
		{"POST", "operators/" + nobody + "/password/", `{}`, none},
		{"GET", "me/", "", read},
		{"GET", "audit-events/", "", read},
		{"GET", "operations/", "", read},
		{"GET", "operations/" + nobody + "/", "", read},
		{"GET", "operations/" + nobody + "/events/", "", read},
	} {
		for token, level := range map[string]int{viewer: read, operator: write} {
			r := p.call(t, test.method, test.path, test.body, "Authorization: Bearer "+token)
			if allowed := test.least != none && level >= test.least; (r.status == http.StatusForbidden) == allowed || r.status == http.StatusUnauthorized || r.status >= 500 {
				t.Errorf("%s %s at level %d: %s", test.method, test.path, level, r.text)
			}
		}
	}
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
}
