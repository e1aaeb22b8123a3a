package systemapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
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

// TestRoles holds that each operation of the document is open to just the roles that it states there.
func TestRoles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tokens := map[string]string{}
	for _, role := range []string{auth.RoleOwner, auth.RoleOperator, auth.RoleViewer} {
		id := strings.Split(p.operator(t, role+"@example.org", role), "/")[1]
		token, _, err := p.tokens.ForPlatform(auth.OperatorPrincipal(uuid.MustParse(id), role), time.Hour)
		must(t, err)
		tokens[role] = token
	}
	before := p.snapshot(t)
	for path, item := range systemapi.New(http.NewServeMux(), systemapi.Service{}, "test").OpenAPI().Paths {
		path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(strings.TrimPrefix(path, "/api/v1/system/"), nobody)
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil || wire.IsPublic(op) {
				continue
			}
			roles, _ := op.Extensions["x-roles"].([]string)
			if len(roles) == 0 {
				t.Errorf("%s is open to nobody", op.OperationID)
			}
			if op.Method != http.MethodGet && slices.Contains(roles, auth.RoleViewer) && op.OperationID != "change-my-password" {
				t.Errorf("%s is open to who may only read", op.OperationID)
			}
			var body any
			if op.RequestBody != nil {
				body = `{}`
			}
			for role, token := range tokens {
				r := p.call(t, op.Method, path, body, "Authorization: Bearer "+token)
				if (r.status != http.StatusForbidden) != slices.Contains(roles, role) || r.status == http.StatusUnauthorized || r.status >= 500 {
					t.Errorf("%s as %s: %s", op.OperationID, role, r.text)
				}
			}
		}
	}
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
}
