// Package contract_test holds the running service to its own OpenAPI documents. It knows no operation by
// itself: what there is, what it takes and what it answers is read from the documents, so a new operation is
// held to its own as soon as it is there.
package contract_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/httpapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

type object = map[string]any

const (
	systemHost = "localhost"
	schoolHost = "oak.test"
	password   = "a walk along the river"
)

// service is the whole of it, with one school, oak.
type service struct {
	url      string
	conn     *pgx.Conn // as the superuser
	registry *tenancy.Registry
	platform *platform.Platform
	tokens   *auth.Tokens
	school   uuid.UUID
}

func newService(t *testing.T) *service {
	t.Helper()
	database := testkit.Database(t)
	registry := tenancy.New(testkit.Pools(t, database), tenancy.Options{Roles: true})
	t.Cleanup(func() { must(t, registry.Close()) })
	s := &service{registry: registry}
	settings := platform.Settings{BaseDomain: "test", PublicHosts: []string{systemHost}, TenantRoles: true}
	s.platform = platform.New(registry, testkit.Tenant(t), settings, time.Now)
	var err error
	s.conn, err = pgx.Connect(t.Context(), database)
	must(t, err)
	t.Cleanup(func() { must(t, s.conn.Close(context.Background())) })
	s.tokens, err = auth.NewTokens(bytes.Repeat([]byte{7}, 32), time.Now)
	must(t, err)
	oak, err := s.platform.Create(t.Context(), platform.Shell, platform.NewSchool{Name: "Oak", Code: "oak"})
	must(t, err)
	s.school = oak.ID
	s.serve(t)
	return s
}

// serve answers until the test ends.
func (s *service) serve(t *testing.T) {
	t.Helper()
	watcher := platform.NewWatcher(s.platform)
	handler := httpapi.New(httpapi.Settings{
		PublicHosts: []string{systemHost}, Version: "test", Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel),
		Ready: func(context.Context) error { return nil },
	}, s.registry, systemapi.Service{
		Platform: s.platform, Public: s.registry.Public(), Watcher: watcher, Now: time.Now,
		Desk: &auth.Desk{Tokens: s.tokens, Passwords: auth.NewPasswords()},
		Begin: func(ctx context.Context, id uuid.UUID) error {
			return s.platform.Perform(context.WithoutCancel(ctx), id, true)
		},
	})
	server := httptest.NewServer(handler)
	ctx, stop := context.WithCancel(context.Background())
	watched := make(chan error, 1)
	go func() { watched <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-watched)
		server.Close()
	})
	s.url = server.URL
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// request is one request; body is JSON as text or a value, nil for none.
type request struct {
	method, path string
	query        string
	header       map[string]string
	body         any
}

// answer is what came, with its body as JSON.
type answer struct {
	status int
	header http.Header
	text   []byte
	value  any
}

func (a answer) object() object {
	o, _ := a.value.(object)
	return o
}

// send sends a request to a host.
func (s *service) send(t *testing.T, host string, r request) answer {
	t.Helper()
	var content []byte
	switch body := r.body.(type) {
	case nil:
	case string:
		content = []byte(body)
	default:
		var err error
		content, err = json.Marshal(body)
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	target := s.url + r.path
	if r.query != "" {
		target += "?" + r.query
	}
	out, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(content))
	must(t, err)
	out.Host = host
	if r.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		out.Header.Set(name, value)
		if value == "" {
			out.Header.Del(name)
		}
	}
	response, err := http.DefaultClient.Do(out)
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	a := answer{status: response.StatusCode, header: response.Header, text: text}
	if strings.HasSuffix(response.Header.Get("Content-Type"), "json") {
		must(t, json.Unmarshal(text, &a.value))
	}
	return a
}

// snapshot is a digest of each table of the platform and of oak, save when keys were last used, and which
// tables there are.
func (s *service) snapshot(t *testing.T) map[string]string {
	t.Helper()
	rows, err := s.conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname !~ '^pg_' AND schemaname NOT IN ('information_schema', 'jobs') ORDER BY 1`)
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	all, parts := map[string]string{"the tables": strings.Join(tables, " ")}, []string{}
	for _, table := range tables {
		if strings.HasPrefix(table, "public.") || strings.HasPrefix(table, "school_oak.") {
			parts = append(parts, "SELECT '"+table+"', coalesce(string_agg((to_jsonb(r) - 'last_used_at')::text, ',' ORDER BY r::text), '') FROM "+table+" r")
		}
	}
	rows, err = s.conn.Query(t.Context(), strings.Join(parts, " UNION ALL "))
	must(t, err)
	var table, content string
	_, err = pgx.ForEachRow(rows, []any{&table, &content}, func() error {
		sum := sha256.Sum256([]byte(content))
		all[table] = hex.EncodeToString(sum[:])
		return nil
	})
	must(t, err)
	return all
}
