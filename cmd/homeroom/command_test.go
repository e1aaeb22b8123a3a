package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, "serve"},
		{[]string{"serve", "--help"}, 0, "HOMEROOM_DRAIN_TIMEOUT"},
		{[]string{"serve", "--help"}, 0, "HOMEROOM_SECRETS_DIR"},
		{[]string{"version"}, 0, "PostgreSQL 15 and newer"},
		{nil, 2, "expected one of"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"school", "show"}, 2, "code"},
		{[]string{"openapi", "--api", "both"}, 2, "system"},
		{[]string{"serve"}, 2, "HOMEROOM_DATABASE_URL takes"},
		{[]string{"migrate", "apply", "--only", "public", "--school", "elm"}, 2, "--only public takes no --school"},
		{[]string{"migrate", "status", "--only", "public", "--school", "elm"}, 2, "--only public takes no --school"},
		{[]string{"migrate", "apply", "--canary=-1"}, 2, "--canary takes a number from 0 on"},
		{[]string{"migrate", "apply", "--help"}, 0, "0, no canary"},
		{[]string{"key", "revoke", "nonsense"}, 2, "homeroom key list"},
		{[]string{"school", "import", "/no/such/folder"}, 2, "/no/such/folder"},
	} {
		homeroom(t, "", c.args...).expect(t, c.code, c.says)
	}
}

// Every wrong setting is named at once, with what it takes, and no secret is told.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL=mysql://u:hunter2@h/d", "HOMEROOM_DIRECT_DATABASE_URL=mysql://u:hunter4@h/d", "HOMEROOM_LISTEN=here", "HOMEROOM_PUBLIC_HOSTS=a b",
		"HOMEROOM_BASE_DOMAIN=-", "HOMEROOM_TRUSTED_PROXIES=10.0.0.0/99", "HOMEROOM_CORS_ORIGINS=https://a.example, *, https://*.b.example,https://c.example/,d.example",
		"HOMEROOM_LOG_LEVEL=loud", "HOMEROOM_LOG_FORMAT=xml", "HOMEROOM_OIDC_ISSUER=http://id.example.org",
		"HOMEROOM_SIGNING_KEY=hunter3", "HOMEROOM_DRAIN_TIMEOUT=soon", "HOMEROOM_RETENTION=0d", "HOMEROOM_SECRETS_DIR=/no/such/folder", "HOMEROOM_MAX_CONNS=many", "HOMEROOM_RATE_LIMIT=-1", "HOMEROOM_ANONYMOUS_RATE_LIMIT=few", "HOMEROOM_SCHOOL_MAX_CONCURRENCY=0")
	ended := finish(t, cmd).expect(t, exitUsage,
		"HOMEROOM_DATABASE_URL is", "HOMEROOM_DIRECT_DATABASE_URL is", `HOMEROOM_LISTEN is "here"`, `HOMEROOM_PUBLIC_HOSTS is "a b"`, "HOMEROOM_BASE_DOMAIN", `HOMEROOM_TRUSTED_PROXIES is "10.0.0.0/99"`,
		`HOMEROOM_CORS_ORIGINS is "*"`, `HOMEROOM_CORS_ORIGINS is "https://*.b.example"`, `HOMEROOM_CORS_ORIGINS is "https://c.example/"`, `HOMEROOM_CORS_ORIGINS is "d.example"`,
		`HOMEROOM_LOG_LEVEL is "loud"`, "HOMEROOM_LOG_FORMAT", "HOMEROOM_SIGNING_KEY", `HOMEROOM_DRAIN_TIMEOUT is "soon"`, `HOMEROOM_RETENTION is "0d"`, `HOMEROOM_SECRETS_DIR is "/no/such/folder"`, `HOMEROOM_MAX_CONNS is "many"`, `HOMEROOM_RATE_LIMIT is "-1"`, `HOMEROOM_ANONYMOUS_RATE_LIMIT is "few"`, `HOMEROOM_SCHOOL_MAX_CONCURRENCY is "0"`,
		"HOMEROOM_OIDC_AUDIENCE", `HOMEROOM_OIDC_ISSUER is "http://id.example.org", but takes a URL that begins with https://`)
	if strings.Contains(ended.stderr, "hunter") {
		t.Errorf("a secret is told: %s", ended.stderr)
	}
}

// A database URL is refused as a setting before anything connects, and never told.
func TestWrongDatabaseURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:hunter2@h:54x/d", "postgres://u:hunter2@h/d?sslmode=bogus", "postgres://u:hunter2@h/a%zz", "postgres://u:hunter2%@h/d", "postgres://u:hunter2 x@h/d\t",
		"postgres://u:hunter2@h/d?pool_max_conns=4", "postgres://u:hunter2@h/d?connect_timeout=hunter2",
	} {
		cmd := program(t, t.TempDir(), "serve")
		cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url, "HOMEROOM_DIRECT_DATABASE_URL="+url, "HOMEROOM_LISTEN=here")
		ended := finish(t, cmd).expect(t, exitUsage, `HOMEROOM_DATABASE_URL is "***", but takes`, `HOMEROOM_DIRECT_DATABASE_URL is "***", but takes`, `HOMEROOM_LISTEN is "here"`)
		if strings.Contains(ended.stdout+ended.stderr, "hunter") {
			t.Errorf("a secret is told: %s", ended.stderr)
		}
	}
}

func TestSecretFromAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte(testkit.Database(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	homeroom(t, "", "school", "list", "--database-url-file", path).expect(t, 0, "CODE")
	homeroom(t, "", "school", "list", "--database-url-file", path+"x").expect(t, exitUsage, "HOMEROOM_DATABASE_URL_FILE")
	homeroom(t, "postgres://x", "school", "list", "--database-url-file", path).expect(t, exitUsage, "give one of the two")
}

func TestServeNeverMigratesByItself(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	homeroom(t, url, "serve").expect(t, exitNotReady, "homeroom migrate apply")
	homeroom(t, url, "school", "list").expect(t, exitNotReady, "homeroom migrate apply")
	if n := ask[int](t, url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("%d tables were made", n)
	}
	cmd := program(t, t.TempDir(), "serve", "--migrate")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	s := start(t, cmd)
	if status, text := s.get(t, "any.test", "", "/readyz"); status != 200 {
		t.Error(status, text)
	}
	if s.SystemKey != "" {
		t.Error("serve gives a system key away")
	}
	if code := s.stop(t, syscall.SIGINT); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := testkit.EmptyDatabase(t)
	homeroom(t, url, "migrate", "status").expect(t, 0, "public", "behind")
	homeroom(t, url, "migrate", "apply").expect(t, 0, "public")
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--domain", "elm.test").expect(t, 0)
	homeroom(t, url, "school", "create", "oak", "--name", "Oak", "--domain", "oak.test").expect(t, 0)

	// A school that lags behind is brought up, and one that can't be does not hold it back.
	ask[*string](t, url, `WITH gone AS (DELETE FROM school_elm.atlas_schema_revisions RETURNING 1) SELECT NULL::text`)
	homeroom(t, url, "migrate", "status", "--verify", "--school", "elm").expect(t, 0, "behind")
	homeroom(t, url, "migrate", "apply").expect(t, 1, "1 of 2 schools are at", "1 failed; running again goes on with those", "already exists", "SQLSTATE 42P07")
	homeroom(t, url, "migrate", "apply", "--school", "oak").expect(t, 0)
	homeroom(t, url, "migrate", "apply", "--school", "ash").expect(t, 1, `there is no school "ash"`)
}

func TestSchoolLife(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test").expect(t, 0, "elm.test", "school_elm")
	homeroom(t, url, "school", "create", "elm", "--name", "Elm").expect(t, 1, "same code")
	homeroom(t, url, "school", "create", "x", "--name", "Elm", "--domain", "10.0.0.1").expect(t, 1, "code: A code has", "domains[0].domain: An IP")
	homeroom(t, url, "school", "update", "elm", "--name", "Elm Street", "--no-active", "--domain", "a.test", "--domain", "b.test").expect(t, 0, "Elm Street", "false", "a.test b.test")
	homeroom(t, url, "school", "delete", "elm").expect(t, 0, "restore")
	if ended := homeroom(t, url, "school", "list").expect(t, 0); strings.Contains(ended.stdout, "elm") {
		t.Error("a deleted school is listed")
	}
	homeroom(t, url, "school", "list", "--deleted").expect(t, 0, "elm")
	homeroom(t, url, "school", "restore", "elm").expect(t, 0, "ready")
	homeroom(t, url, "school", "purge", "elm", "--confirm", "oak").expect(t, 1, "confirm")
	homeroom(t, url, "school", "purge", "elm", "--confirm", "elm").expect(t, 0, "gone")
	homeroom(t, url, "school", "show", "elm").expect(t, 1, "no such school")
	if n := ask[int](t, url, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'school%'"); n != 0 {
		t.Error("the schema is still there")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	token := strings.TrimSpace(homeroom(t, url, "key", "create", "--name", "ci", "--role", "viewer", "--expires", "24h").expect(t, 0, "hr_").stdout)
	var keys []struct {
		ID, Name, Role string
		Scopes         []string
	}
	ended := homeroom(t, url, "key", "list", "-o", "json").expect(t, 0)
	if err := json.Unmarshal([]byte(ended.stdout), &keys); err != nil || len(keys) != 1 || keys[0].Role != "viewer" {
		t.Fatal(ended.stdout, err)
	}
	if secret := token[strings.LastIndexByte(token, '_')+1:]; strings.Contains(ended.stdout, secret) {
		t.Error("the list tells the secret")
	}
	narrow := strings.TrimSpace(homeroom(t, url, "key", "create", "--name", "sync", "--role", "operator", "--scope", "setup:write", "--scope", "schools:read").expect(t, 0, "hr_").stdout)
	homeroom(t, url, "key", "list").expect(t, 0, "SCOPES", "schools:read setup:write")
	ended = homeroom(t, url, "key", "list", "-o", "json").expect(t, 0)
	if err := json.Unmarshal([]byte(ended.stdout), &keys); err != nil || len(keys) != 2 || len(keys[0].Scopes) != 0 || !slices.Equal(keys[1].Scopes, []string{"schools:read", "setup:write"}) {
		t.Fatal(ended.stdout, err)
	}
	homeroom(t, url, "key", "create", "--name", "x", "--scope", "schools:sell", "--scope", "").expect(t, 1, "scopes[0]", "scopes[1]", "schools:purge")
	homeroom(t, url, "key", "create", "--name", "x", "--role", "viewer", "--scope", "schools:write").expect(t, 1, "scopes[0]", "takes the role owner or operator")
	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	s := start(t, cmd)
	for path, want := range map[string]int{"schools/": 200, "domains/": 403} {
		if status, text := s.get(t, "localhost", narrow, "/api/v1/system/"+path); status != want {
			t.Error(path, status, text)
		}
	}
	if status, text := s.get(t, "localhost", token, "/api/v1/system/schools/"); status != 200 {
		t.Error(status, text)
	}
	homeroom(t, url, "key", "revoke", keys[0].ID).expect(t, 0, "revoked")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // the service hears of it
		status, text := s.get(t, "localhost", token, "/api/v1/system/schools/")
		if status == 401 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(status, text)
		}
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--domain", "elm.test").expect(t, 0)
	homeroom(t, url, "doctor").expect(t, 0, "PostgreSQL", "may create schemas", "schools without one: 0", "none in front", "none beside", "behind their migrations: 0")
	ask[*string](t, url, "WITH gone AS (UPDATE clients SET schema_version = '0' RETURNING 1) SELECT NULL::text")
	homeroom(t, url, "doctor").expect(t, 1, "behind their migrations: 1", "1 of 13 checks failed")
	homeroom(t, testkit.EmptyDatabase(t), "doctor").expect(t, 1, "public schema", "behind")
	homeroom(t, "postgres://nobody@127.0.0.1:1/none", "doctor").expect(t, 1, "FAIL", "connection")
}

// The committed documents are those that this program serves.
func TestDocumentsAreFresh(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"system", "tenant"} {
		want, err := os.ReadFile(filepath.Join("..", "..", "openapi", api+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := homeroom(t, "", "openapi", "--api", api).expect(t, 0).stdout; got != string(want) {
			t.Errorf("openapi/%s.yaml is stale: run make generate", api)
		}
		document := homeroom(t, "", "openapi", "--api", api, "--format", "json").expect(t, 0).stdout
		if !json.Valid([]byte(document)) || !strings.Contains(document, `"openapi": "3.1`) {
			t.Errorf("%.200s", document)
		}
	}
}
