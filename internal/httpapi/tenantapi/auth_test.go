package tenantapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	p, other := places(t)
	r := p.fill(t)
	before := p.snapshot(t)
	expired := p.tokenOf(t, auth.RoleAdmin, -time.Minute)
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer garbage", "Basic " + p.token, p.token, "Bearer " + other.token, "Bearer " + expired,
		"Bearer " + p.token + "x", "Bearer " + p.token + ", Bearer " + p.token, "Bearer hr_00_x",
	} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
			answer := p.call(t, method, r.path("enrollments"), nil, "Authorization: "+authorization).want(t, 401, `"code":"unauthenticated"`)
			if got := answer.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
				t.Errorf("WWW-Authenticate %q", got)
			}
		}
		p.call(t, "POST", "students/", "{", "Authorization: "+authorization).want(t, 401)
		p.call(t, "GET", "school/", nil, "Authorization: "+authorization).want(t, 401)
	}
	if p.snapshot(t) != before {
		t.Error("somebody without a token has changed something")
	}
	school := p.call(t, "GET", "school/", nil).want(t, 200)
	p.call(t, "GET", "school/", nil, "If-None-Match: "+school.header.Get("ETag")).want(t, http.StatusNotModified)
	other.call(t, "GET", "school/", nil, "If-None-Match: "+school.header.Get("ETag")).want(t, 200)
	for _, scheme := range []string{"bearer ", "BEARER ", "Bearer  "} {
		p.call(t, "GET", "school/", nil, "Authorization: "+scheme+p.token).
			want(t, 200, `{"id":"`+p.tenant.ID.String()+`","name":"School a","code":"a"}`)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	p, _ := places(t)
	r := p.fill(t)
	valid := bodies(r, p.add(t, "students", object{"admission_number": "A-8", "first_name": "x", "last_name": "y"}))
	writes := map[string]bool{auth.RoleAdmin: true, auth.RoleStaff: true}
	reads := map[string]bool{auth.RoleAdmin: true, auth.RoleStaff: true, auth.RoleTeacher: true}
	before := p.snapshot(t)
	for _, role := range []string{auth.RoleTeacher, auth.RoleGuardian, auth.RoleStudent, auth.RoleOwner, "", auth.RoleStaff, auth.RoleAdmin} {
		is := "Authorization: Bearer " + p.tokenOf(t, role, time.Hour)
		read, write := 403, 403
		if reads[role] {
			read = 200
		}
		if writes[role] {
			write = 200
		} else if p.snapshot(t) != before {
			t.Fatal("somebody has changed something")
		}
		p.call(t, "GET", "school/", nil, is).want(t, read)
		for _, nouns := range nouns {
			p.call(t, "GET", nouns+"/", nil, is).want(t, read)
			p.call(t, "GET", r.path(nouns), nil, is).want(t, read)
			p.call(t, "PATCH", r.path(nouns), "{}", is).want(t, write)
			if write == 403 {
				p.call(t, "POST", nouns+"/", valid[nouns], is).want(t, 403, `"code":"forbidden"`)
				p.call(t, "PUT", r.path(nouns), valid[nouns], is).want(t, 403)
				p.call(t, "DELETE", r.path(nouns), nil, is).want(t, 403)
				continue
			}
			made := p.call(t, "POST", nouns+"/", valid[nouns], is).want(t, 201)
			p.call(t, "PUT", nouns+"/"+made.id()+"/", valid[nouns], is).want(t, 200)
			p.call(t, "DELETE", nouns+"/"+made.id()+"/", nil, is).want(t, 204)
		}
	}
}

// TestDocument holds what a reader of the document relies on; it needs neither tokens nor a database.
func TestDocument(t *testing.T) {
	t.Parallel()
	document := tenantapi.New(http.NewServeMux(), nil, "1.2.3").OpenAPI()
	if document.Info.Title != "homeroom tenant API" || document.Info.Version != "1.2.3" {
		t.Errorf("%+v", document.Info)
	}
	tags := map[string]bool{}
	for _, tag := range document.Tags {
		tags[tag.Name] = true
	}
	count, public := 0, []string{}
	for path, item := range document.Paths {
		if !strings.HasSuffix(path, "/") {
			t.Errorf("%s does not end in a slash", path)
		}
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			count++
			if wire.IsPublic(op) {
				public = append(public, op.OperationID)
				continue
			}
			roles, _ := op.Extensions["x-roles"].([]string)
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || !tags[op.Tags[0]] || len(roles) == 0 {
				t.Errorf("%s %s is not whole: %+v", op.Method, path, op)
			}
			admins := op.Tags[0] == "Users" || op.Tags[0] == "Audit"
			if teaches := slices.Contains(roles, auth.RoleTeacher); teaches != (op.Method == http.MethodGet && !admins) || admins && len(roles) > 1 {
				t.Errorf("%s %s: roles %v", op.Method, path, roles)
			}
		}
	}
	if count != 8*6+1+5+5+1 {
		t.Errorf("%d operations", count)
	}
	slices.Sort(public)
	if want := []string{"accept-invite", "login", "logout", "refresh-tokens"}; !slices.Equal(public, want) {
		t.Errorf("open to anyone: %v", public)
	}
	for name, schema := range document.Components.Schemas.Map() {
		if strings.HasPrefix(name, "Problem") || strings.HasSuffix(name, "Page") {
			continue
		}
		for field, property := range schema.Properties {
			if property.Description == "" || len(property.Examples) == 0 && property.Type != "array" {
				t.Errorf("%s.%s lacks a description or an example", name, field)
			}
		}
	}
}
