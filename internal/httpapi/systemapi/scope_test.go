package systemapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// scoped returns an owner's API key with scopes, as a header.
func (p *place) scoped(t *testing.T, scopes ...string) string {
	t.Helper()
	_, token, err := p.platform.CreateKey(t.Context(), platform.Shell, platform.NewKey{Name: "scoped", Role: auth.RoleOwner, Scopes: scopes})
	must(t, err)
	return "Authorization: Bearer " + token
}

// scopeOf is the scope that an operation should take: of the last collection in its path, for a deed of its own
// if there is one, else to read or to write.
func scopeOf(op *huma.Operation) (scope string) {
	all := auth.RoleScopes(auth.RoleOwner)
	for segment := range strings.SplitSeq(op.Path, "/") {
		resource, _, _ := strings.Cut(scope, ":")
		switch {
		case slices.Contains(all, resource+":"+segment):
			scope = resource + ":" + segment
		case slices.Contains(all, segment+":read") && op.Method == http.MethodGet:
			scope = segment + ":read"
		case slices.Contains(all, segment+":read"):
			scope = segment + ":write"
		}
	}
	return scope
}

// TestScopes holds that each operation of the document states the scope that it should take, and is open to keys
// with just that, or with the one to write what it reads.
func TestScopes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	keys, taken := map[string]string{}, map[string]bool{}
	for _, scope := range auth.RoleScopes(auth.RoleOwner) {
		keys[scope] = p.scoped(t, scope)
	}
	before := p.snapshot(t)
	for path, item := range systemapi.New(http.NewServeMux(), systemapi.Service{}, "test").OpenAPI().Paths {
		path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(strings.TrimPrefix(path, "/api/v1/system/"), nobody)
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil || wire.IsPublic(op) || strings.HasPrefix(path, "me/") {
				continue
			}
			scope, _ := op.Extensions["x-scope"].(string)
			if should := scopeOf(op); scope != should || keys[scope] == "" {
				t.Errorf("%s takes the scope %q, not %q", op.OperationID, scope, should)
			}
			taken[scope] = true
			var body any
			if op.RequestBody != nil {
				body = `{}`
			}
			for held, key := range keys {
				r := p.call(t, op.Method, path, body, key)
				may := held == scope || strings.HasSuffix(held, ":write") && scope == strings.TrimSuffix(held, "write")+"read"
				if (r.status != http.StatusForbidden) != may || r.status == http.StatusUnauthorized || r.status >= 500 {
					t.Errorf("%s with %s: %s", op.OperationID, held, r.text)
				}
				if !may && !strings.Contains(r.text, `"forbidden"`) || !may && !strings.Contains(r.text, " "+scope+",") {
					t.Errorf("%s with %s does not say what it takes: %s", op.OperationID, held, r.text)
				}
			}
		}
	}
	for scope, key := range keys {
		if !taken[scope] {
			t.Errorf("nothing takes the scope %s", scope)
		}
		p.call(t, "GET", "me/", nil, key).want(t, http.StatusOK, `"role":"owner","scopes":["`+scope+`"]`)
	}
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
}

func TestScopesAreShown(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const normal = `"scopes":["domains:read","schools:write"]`
	made := p.call(t, "POST", "api-keys/", `{"name":"x","role":"operator","scopes":["schools:write","domains:read","schools:write"]}`).want(t, http.StatusCreated, normal)
	p.call(t, "GET", "api-keys/"+made.id()+"/", nil).want(t, http.StatusOK, normal)
	p.call(t, "GET", "api-keys/", nil).want(t, http.StatusOK, normal, `"name":"the owner","role":"owner","scopes":[]`)
	p.call(t, "GET", "audit-events/?action=api-key.create", nil).want(t, http.StatusOK, normal, `"scopes":[]`)
	p.call(t, "POST", "api-keys/", `{"name":"x","role":"viewer","scopes":null}`).want(t, http.StatusCreated, `"scopes":[]`)
	p.call(t, "GET", "me/", nil).want(t, http.StatusOK, `"scopes":[]`)
}

// Whoever has scopes gives others no more than that, by whatever way.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owner, viewer := p.operator(t, "ada@example.org", auth.RoleOwner), p.operator(t, "grace@example.org", auth.RoleViewer)
	p.operator(t, "last@example.org", auth.RoleOwner)
	key := p.scoped(t, "api-keys:write", "schools:write")
	some := p.scoped(t, "operators:write", "schools:read")
	reads := p.scoped(t, append(auth.RoleScopes(auth.RoleViewer), "operators:write")...)
	all := p.scoped(t, auth.RoleScopes(auth.RoleOwner)...)
	made := func(address, role string) object {
		return object{"email": address, "full_name": "X", "role": role, "password": password}
	}
	before := p.snapshot(t)
	for _, c := range []struct {
		key, method, path string
		body              any
		says              string
	}{
		{key, "POST", "api-keys/", `{"name":"x","role":"owner"}`, "needs some of them too"},
		{key, "POST", "api-keys/", `{"name":"x","role":"viewer"}`, "needs some of them too"},
		{all, "POST", "api-keys/", `{"name":"x","role":"owner"}`, "needs some of them too"},
		{key, "POST", "api-keys/", `{"name":"x","role":"owner","scopes":["schools:read","schools:impersonate"]}`, "schools:impersonate"},
		{key, "POST", "api-keys/", `{"name":"x","role":"viewer","scopes":["domains:read"]}`, "domains:read"},
		{some, "POST", "operators/", made("x@example.org", "owner"), "scope schools:write"},
		{some, "POST", "operators/", made("x@example.org", "viewer"), "scope domains:read"},
		{reads, "POST", "operators/", made("x@example.org", "operator"), "scope schools:write"},
		{reads, "PATCH", viewer, `{"role":"owner"}`, "scope schools:write"},
		{reads, "PATCH", owner, `{"email":"x@example.org"}`, "scope schools:write"},
		{reads, "PATCH", owner, `{"role":"viewer","email":"x@example.org"}`, "scope schools:write"},
		{reads, "POST", owner + "password/", object{"password": password}, "scope schools:write"},
		{some, "POST", viewer + "password/", object{"password": password}, "scope domains:read"},
	} {
		p.call(t, c.method, c.path, c.body, c.key).want(t, http.StatusForbidden, `"forbidden"`, c.says)
	}
	if p.snapshot(t) != before {
		t.Error("something was written")
	}
	p.call(t, "POST", "api-keys/", `{"name":"x","role":"owner","scopes":["schools:write","api-keys:read"]}`, key).want(t, http.StatusCreated)
	p.call(t, "POST", "operators/", made("x@example.org", "viewer"), reads).want(t, http.StatusCreated)
	p.call(t, "PATCH", viewer, `{"full_name":"Grace"}`, reads).want(t, http.StatusOK)
	p.call(t, "POST", viewer+"password/", object{"password": password}, reads).want(t, http.StatusNoContent)
	p.call(t, "POST", "operators/", made("y@example.org", "owner"), all).want(t, http.StatusCreated)
	p.call(t, "DELETE", owner, nil, some).want(t, http.StatusNoContent)
	p.call(t, "PATCH", owner, `{"is_active":true}`, reads).want(t, http.StatusForbidden)
}

// A key has no scope that its role can't use.
func TestScopesAreOfTheRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, role := range []string{auth.RoleOperator, auth.RoleViewer} {
		for _, scope := range auth.RoleScopes(auth.RoleOwner) {
			r := p.call(t, "POST", "api-keys/", object{"name": "x", "role": role, "scopes": []string{"schools:read", scope}})
			if slices.Contains(auth.RoleScopes(role), scope) {
				r.want(t, http.StatusCreated)
			} else {
				r.want(t, http.StatusUnprocessableEntity, `"body.scopes[1]"`, "the key's is "+role)
			}
		}
	}
}
