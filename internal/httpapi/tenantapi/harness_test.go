package tenantapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// place is one school's API as an admin of that school uses it.
type place struct {
	url    string
	token  string
	tenant *tenancy.Tenant
	tokens *auth.Tokens
	pool   *postgres.Database
}

// address is where all requests come from.
const address = "192.0.2.7"

// places returns two empty schools of one database.
func places(t *testing.T) (a, b *place) {
	t.Helper()
	pools := testkit.Pools(t, testkit.Database(t))
	registry := tenancy.New(pools, tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	tokens, err := auth.NewTokens(bytes.Repeat([]byte{7}, 32), time.Now)
	must(t, err)
	mux := http.NewServeMux()
	tenantapi.New(mux, &auth.Desk{Tokens: tokens, Passwords: auth.NewPasswords()}, "test")
	serve := func(schema, name string) *place {
		_, err := registry.Public().ExecContext(t.Context(), testkit.Tenant(t).CreateScript(schema))
		must(t, err)
		tenant := &tenancy.Tenant{ID: uuid.New(), Code: name, Name: "School " + name, DB: registry.Schema(postgres.Primary, schema)}
		handler := wire.Handler(mux, nil)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(w, r.WithContext(tenantapi.WithTenant(wire.Begin(w, r, netip.MustParseAddr(address)), tenant)))
		}))
		t.Cleanup(server.Close)
		p := &place{url: server.URL, tenant: tenant, tokens: tokens, pool: pools.Database(postgres.Primary)}
		p.token = p.tokenOf(t, auth.RoleAdmin, time.Hour)
		return p
	}
	return serve("school_a", "a"), serve("school_b", "b")
}

func (p *place) tokenOf(t *testing.T, role string, lifetime time.Duration) string {
	t.Helper()
	token, _, err := p.tokens.ForSchool(p.tenant.ID, auth.Principal{Name: "user:" + role, Role: role}, lifetime)
	must(t, err)
	return token
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is an answer with its body as JSON.
type reply struct {
	status int
	header http.Header
	text   string
	object map[string]any
}

// call sends a request below /api/v1/; body is JSON as text or a value, nil for none; headers are
// "Name: value".
func (p *place) call(t rapid.TB, method, path string, body any, headers ...string) reply {
	t.Helper()
	r, err := p.try(method, path, body, headers...)
	must(t, err)
	return r
}

func (p *place) try(method, path string, body any, headers ...string) (reply, error) {
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		content = bytes.NewReader(text)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/api/v1/" + path
	}
	request, err := http.NewRequestWithContext(context.Background(), method, p.url+path, content)
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	r := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &r.object)
	}
	return r, err
}

// want fails the test unless the answer has the status and holds each of the texts.
func (r reply) want(t rapid.TB, status int, holds ...string) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.text)
	}
	for _, text := range holds {
		if !strings.Contains(r.text, text) {
			t.Errorf("lacks %s: %s", text, r.text)
		}
	}
	return r
}

func (r reply) id() string { return r.object["id"].(string) }

// ids returns the ids of a page.
func (r reply) ids(t rapid.TB) []string {
	t.Helper()
	r.want(t, http.StatusOK)
	ids := []string{}
	for _, item := range r.object["items"].([]any) {
		ids = append(ids, item.(map[string]any)["id"].(string))
	}
	return ids
}

type object = map[string]any

// add creates a resource and returns its id.
func (p *place) add(t rapid.TB, nouns string, body any) string {
	t.Helper()
	return p.call(t, "POST", nouns+"/", body).want(t, http.StatusCreated).id()
}

// records is one record of each noun, related to one another.
type records struct{ year, term, subject, staff, class, student, guardian, enrollment string }

// path returns where the record of a noun is.
func (r records) path(nouns string) string {
	return nouns + "/" + map[string]string{
		"academic-years": r.year, "terms": r.term, "subjects": r.subject, "staff": r.staff, "classes": r.class,
		"students": r.student, "guardians": r.guardian, "enrollments": r.enrollment,
	}[nouns] + "/"
}

func (p *place) fill(t *testing.T) (r records) {
	t.Helper()
	r.year = p.add(t, "academic-years", object{"name": "2026-2027", "starts_on": "2026-09-01", "ends_on": "2027-07-15"})
	r.term = p.add(t, "terms", object{"academic_year_id": r.year, "name": "Term 1", "starts_on": "2026-09-01", "ends_on": "2026-12-18"})
	r.subject = p.add(t, "subjects", object{"code": "MATH-7", "name": "Mathematics"})
	r.staff = p.add(t, "staff", object{"staff_number": "T-1", "first_name": "David", "last_name": "Mutai"})
	r.class = p.add(t, "classes", object{"name": "Maths 7B", "subject_id": r.subject, "term_id": r.term, "teachers": []object{{"staff_id": r.staff}}})
	r.student = p.add(t, "students", object{"admission_number": "A-1", "first_name": "Amina", "last_name": "Okafor"})
	r.guardian = p.add(t, "guardians", object{"full_name": "Grace Okafor", "students": []object{{"student_id": r.student, "relationship": "Mother"}}})
	r.enrollment = p.add(t, "enrollments", object{"student_id": r.student, "class_id": r.class})
	return r
}

var nouns = []string{"academic-years", "terms", "subjects", "staff", "classes", "students", "guardians", "enrollments"}

// snapshot returns all that the school's tables hold.
func (p *place) snapshot(t *testing.T) string {
	t.Helper()
	ctx, db := context.Background(), p.tenant.DB
	all := []any{}
	collect := func(rows any, err error) {
		must(t, err)
		all = append(all, rows)
	}
	collect(allOf(ctx, db.Student.Query()))
	collect(allOf(ctx, db.Guardian.Query()))
	collect(allOf(ctx, db.StudentGuardian.Query()))
	collect(allOf(ctx, db.Staff.Query()))
	collect(allOf(ctx, db.Subject.Query()))
	collect(allOf(ctx, db.Class.Query()))
	collect(allOf(ctx, db.ClassTeacher.Query()))
	collect(allOf(ctx, db.Enrollment.Query()))
	collect(allOf(ctx, db.AcademicYear.Query()))
	collect(allOf(ctx, db.Term.Query()))
	text, err := json.Marshal(all)
	must(t, err)
	return string(text)
}

func allOf[R any](ctx context.Context, q interface {
	All(context.Context) ([]R, error)
},
) ([]R, error) {
	return q.All(ctx)
}
