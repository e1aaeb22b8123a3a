package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Schools on a second server, in a shared database and in one of their own, answer like any other. When
// it stops, they alone fail, with 503 and Retry-After; when it is back, they are.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	second, _ := testkit.SecondServer(t)
	testkit.On(t, second.URL("postgres"), "CREATE DATABASE north")
	homeroom(t, url, "database", "add", "north", second.URL("north")).expect(t, 0, "north", "shared")
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test").expect(t, 0, "elm.test", "primary")
	homeroom(t, url, "school", "create", "oak", "--name", "Oak", "--base-domain", "test", "--database", "north").expect(t, 0, "north")
	homeroom(t, url, "school", "create", "ash", "--name", "Ash", "--base-domain", "test", "--database", "north", "--isolation", "database").expect(t, 0, "north")
	homeroom(t, url, "school", "create", "fir", "--name", "Fir", "--base-domain", "test", "--isolation", "database", "--schema-name", "school_"+ask[string](t, url, "SELECT current_database()::text")).expect(t, 0, "primary")
	t.Cleanup(func() { homeroom(t, url, "school", "purge", "fir", "--confirm", "fir").expect(t, 0) })

	const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url, "HOMEROOM_SIGNING_KEY="+key, "HOMEROOM_MAX_CONNS=4")
	s := start(t, cmd)
	tokens := map[string]string{}
	for _, code := range []string{"elm", "oak", "ash", "fir"} {
		ended := homeroom(t, url, "school", "impersonate", code, "--reason", "a test", "--signing-key", key).expect(t, 0)
		tokens[code] = strings.TrimSpace(ended.stdout)
		status, text := s.send(t, http.MethodPost, code+".test", tokens[code], "/api/v1/students/", `{"admission_number": "A-1", "first_name": "Amina", "last_name": "`+code+`"}`)
		if status != http.StatusCreated {
			t.Fatal(code, status, text)
		}
		if status, text := s.get(t, code+".test", tokens[code], "/api/v1/students/"); status != http.StatusOK || !strings.Contains(text, `"last_name":"`+code+`"`) || strings.Count(text, "A-1") != 1 {
			t.Error(code, status, text)
		}
	}
	homeroom(t, url, "migrate", "status", "--all").expect(t, 0, "north")

	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for code, want := range map[string]int{"elm": 200, "fir": 200, "oak": 503, "ash": 503} {
			if status, text := s.get(t, code+".test", tokens[code], "/api/v1/students/"); status != want || want == 503 && !strings.Contains(text, "database-unavailable") {
				t.Error(code, status, text)
			}
		}
	}
	homeroom(t, url, "migrate", "apply").expect(t, 1, "2 of 4 schools are at", "2 failed", "can't be reached")
	homeroom(t, url, "migrate", "status").expect(t, 0, "current")
	homeroom(t, url, "migrate", "status", "--verify").expect(t, 1, "2 of 4 schools could not be looked at", "current", "unknown")
	homeroom(t, url, "database", "check").expect(t, 1, "primary", "north", "1 check failed")
	homeroom(t, url, "doctor").expect(t, 1, "database north", "reachable: ", "2 of 14 checks failed") // and drift can't look there
	homeroom(t, url, "database", "remove", "north").expect(t, 1, "2 schools live")
	if code := s.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestDatabaseCommands(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	for _, wrong := range []struct {
		says string
		args []string
	}{
		{"must not hold a password", []string{"north", "postgres://u:hunter2@h/d"}},
		{"must not hold the parameter password", []string{"north", "postgres://u@h/d?password=hunter2"}},
		{"url: This takes a URL", []string{"north", "mysql://h/d"}},
		{"url: This takes a URL", []string{"north", "postgres://h"}},
		{"no such variable", []string{"north", "postgres://u@h/d", "--password-ref", "env:HOMEROOM_DB_PASSWORD_NO_SUCH"}},
		{"HOMEROOM_SECRETS_DIR", []string{"north", "postgres://u@h/d", "--password-ref", "file:/no/such/file"}},
		{"begin with HOMEROOM_DB_PASSWORD_", []string{"north", "postgres://u@h/d", "--password-ref", "env:PATH"}},
		{"env:NAME or file:PATH", []string{"north", "postgres://u@h/d", "--password-ref", "hunter2"}},
		{"A name begins", []string{"North", "postgres://u@h/d"}},
		{"A name begins", []string{"9", "postgres://u@h/d"}},
		{"primary is the database", []string{"primary", "postgres://u@h/d"}},
		{"A capacity is", []string{"north", "postgres://u@h/d", "--capacity", "100001"}},
	} {
		ended := homeroom(t, url, append([]string{"database", "add"}, wrong.args...)...).expect(t, 1, wrong.says)
		if strings.Contains(ended.stdout+ended.stderr, "hunter") {
			t.Errorf("a secret is told: %s", ended.stderr)
		}
	}
	secrets := t.TempDir()
	if err := os.WriteFile(filepath.Join(secrets, "north"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	homeroom(t, url, "database", "add", "north", "postgres://u@127.0.0.1:1/d", "--password-ref", "file:north", "--secrets-dir", secrets).expect(t, 0, "file:north")
	homeroom(t, url, "database", "check", "north").expect(t, 1, "no file that this process can read")
	homeroom(t, url, "database", "check", "north", "--secrets-dir", secrets).expect(t, 1, "connection refused")
	homeroom(t, url, "database", "remove", "north").expect(t, 0)
	homeroom(t, url, "database", "add", "here", url, "--kind", "dedicated", "--no-active").expect(t, 0, "dedicated", "false")
	homeroom(t, url, "database", "add", "here", url).expect(t, 1, "same name")
	ended := homeroom(t, url, "database", "check", "-o", "json").expect(t, 0)
	var checks []platform.Check
	if err := json.Unmarshal([]byte(ended.stdout), &checks); err != nil || !slices.ContainsFunc(checks, func(c platform.Check) bool { return c.Database == "here" && c.Check == "latency" && c.OK }) {
		t.Error(err, ended.stdout)
	}
	homeroom(t, url, "doctor").expect(t, 0, "database here", "can be used")
	homeroom(t, url, "database", "check", "west").expect(t, 1, "no such database")
	homeroom(t, url, "database", "remove", "here").expect(t, 0, "no more")
	homeroom(t, url, "database", "list").expect(t, 0, "CAPACITY")
}
