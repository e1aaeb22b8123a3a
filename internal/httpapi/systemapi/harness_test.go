package systemapi_test

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
	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// place is the system API over a database of its own, as an owner uses it.
type place struct {
	url      string
	database string
	token    string
	actor    string // whose token it is, as the audit names them
	registry *tenancy.Registry
	platform *platform.Platform
	watcher  *platform.Watcher
	tokens   *auth.Tokens
}

func newPlace(t *testing.T) *place {
	t.Helper()
	database := testkit.Database(t)
	registry := tenancy.New(testkit.Pools(t, database), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	settings := platform.Settings{BaseDomain: "base.example", PublicHosts: []string{"localhost", "console.example", "console.base.example"}, TenantRoles: true}
	p := &place{database: database, registry: registry, platform: platform.New(registry, testkit.Tenant(t), settings, time.Now)}
	p.watcher = platform.NewWatcher(p.platform)
	var err error
	p.tokens, err = auth.NewTokens(bytes.Repeat([]byte{7}, 32), time.Now)
	must(t, err)
	p.url = p.serve(t, time.Now)
	p.token = p.key(t, auth.RoleOwner)
	id, _, _ := strings.Cut(strings.TrimPrefix(p.token, "hr_"), "_")
	p.actor = "api-key:" + uuid.MustParse(id).String()
	return p
}

// serve answers with a clock of the caller's.
func (p *place) serve(t *testing.T, now func() time.Time) string {
	t.Helper()
	mux := http.NewServeMux()
	systemapi.New(mux, systemapi.Service{
		Platform: p.platform, Public: p.registry.Public(), Watcher: p.watcher, Begin: p.begin,
		Desk: &auth.Desk{Tokens: p.tokens, Passwords: auth.NewPasswords()}, Now: now,
	}, "test")
	handler := wire.Handler(mux, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(wire.Begin(w, r, netip.MustParseAddr(address))))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// key returns the token of a new API key.
func (p *place) key(t *testing.T, role string) string {
	t.Helper()
	_, token, err := p.platform.CreateKey(t.Context(), platform.Shell, platform.NewKey{Name: "the " + role, Role: role})
	must(t, err)
	return token
}

// begin carries out an operation, as a worker does.
func (p *place) begin(ctx context.Context, id uuid.UUID) error {
	go func() { _ = p.platform.Perform(context.WithoutCancel(ctx), id, true) }()
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type object = map[string]any

// reply is an answer with its body as JSON.
type reply struct {
	status int
	header http.Header
	text   string // head and body
	body   object
}

// call sends a request below /api/v1/system/; body is JSON as text or a value, nil for none; headers
// are "Name: value".
func (p *place) call(t *testing.T, method, path string, body any, headers ...string) reply {
	t.Helper()
	r, err := p.try(method, path, body, headers...)
	must(t, err)
	return r
}

func (p *place) try(method, path string, body any, headers ...string) (r reply, err error) {
	var content []byte
	switch body := body.(type) {
	case nil:
	case string:
		content = []byte(body)
	default:
		if content, err = json.Marshal(body); err != nil {
			return r, err
		}
	}
	request, err := http.NewRequestWithContext(context.Background(), method, p.url+"/api/v1/system/"+path, bytes.NewReader(content))
	if err != nil {
		return r, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return r, err
	}
	var head strings.Builder
	if err := response.Header.Write(&head); err != nil {
		return r, err
	}
	r = reply{status: response.StatusCode, header: response.Header, text: head.String() + string(text)}
	if len(text) > 0 {
		err = json.Unmarshal(text, &r.body)
	}
	return r, err
}

// want fails the test unless the answer has the status and holds each of the texts; one that begins
// with ! it must not hold.
func (r reply) want(t *testing.T, status int, texts ...string) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.text)
	}
	for _, text := range texts {
		if lacks, not := strings.CutPrefix(text, "!"); strings.Contains(r.text, lacks) == not {
			t.Errorf("want %s: %s", text, r.text)
		}
	}
	return r
}

func (r reply) id() string   { return r.body["id"].(string) }
func (r reply) etag() string { return r.header.Get("Etag") }

// names returns a property of each item of a page.
func (r reply) names(t *testing.T, property string) []string {
	t.Helper()
	r.want(t, http.StatusOK)
	names := []string{}
	for _, item := range r.body["items"].([]any) {
		names = append(names, item.(object)[property].(string))
	}
	return names
}

// school creates a school and returns its path.
func (p *place) school(t *testing.T, body object) string {
	t.Helper()
	return "schools/" + p.call(t, "POST", "schools/", body).want(t, http.StatusCreated).id() + "/"
}

// domain returns the path of a school's domain.
func (p *place) domain(t *testing.T, school, name string) string {
	t.Helper()
	for _, item := range p.call(t, "GET", school+"domains/", nil).want(t, http.StatusOK).body["items"].([]any) {
		if item := item.(object); item["domain"] == name {
			return school + "domains/" + item["id"].(string) + "/"
		}
	}
	t.Fatalf("the school has no domain %s", name)
	return ""
}

// snapshot is all that the platform's tables hold, save when keys were last used, and which schemas
// there are.
func (p *place) snapshot(t *testing.T) string {
	t.Helper()
	var query strings.Builder
	for _, table := range []string{"clients", "domains", "school_setups", "whatsapp_contacts", "operators", "audit_events"} {
		query.WriteString("SELECT '" + table + " ' || r::text AS line FROM " + table + " r UNION ALL ")
	}
	query.WriteString(`SELECT concat_ws(' ', 'api_keys', id, name, role, scopes, expires_at, revoked_at, updated_at) FROM api_keys
		UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_'
		UNION ALL SELECT 'tables ' || schemaname || count(*) FROM pg_tables WHERE schemaname !~ '^pg_' GROUP BY schemaname ORDER BY line`)
	conn, err := pgx.Connect(t.Context(), p.database)
	must(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), query.String())
	must(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return strings.Join(lines, "\n")
}

// schemas counts the schemas of schools.
func (p *place) schemas(t *testing.T) int {
	t.Helper()
	return strings.Count(p.snapshot(t), "schema school_")
}

// address is where all requests come from.
const address = "192.0.2.7"

var nobody = uuid.NewString()
