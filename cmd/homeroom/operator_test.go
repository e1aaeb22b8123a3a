package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// TestOperatorCommands goes from the first owner, made from a shell, to a login at the service.
func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	const password = "a walk along the river"
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	create := func(input string, args ...string) result {
		cmd := program(t, t.TempDir(), append([]string{"operator", "create", "--name", "Ada Lovelace"}, args...)...)
		cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
		cmd.Stdin = strings.NewReader(input)
		return finish(t, cmd)
	}
	create("", "--email", "ada@example.org", "--role", "owner", "--password-file", file).expect(t, 0)
	create(password+"\n", "--email", "grace@example.org").expect(t, 0)
	create("", "--email", "joan@example.org", "--no-password").expect(t, 0)
	create(password+"\n", "--email", "ADA@example.org").expect(t, 1, "email")
	create("short\n", "--email", "x@example.org").expect(t, 1, "12 characters")
	create("", "--email", "x@example.org").expect(t, 1, "12 characters")
	create("", "--email", "x@example.org", "--no-password", "--password-file", file).expect(t, 2)
	create("", "--email", "x@example.org", "--password", password).expect(t, 2)
	create(password, "--email", "no address").expect(t, 1, "e-mail address")

	homeroom(t, url, "operator", "list").expect(t, 0, "ada@example.org", "owner", "viewer", "joan@example.org")
	homeroom(t, url, "operator", "disable", "Grace@example.org").expect(t, 0, "disabled")
	homeroom(t, url, "operator", "disable", "ada@example.org").expect(t, 1, "last active owner")
	homeroom(t, url, "operator", "disable", "nobody@example.org").expect(t, 1, "no such operator")
	var rows []struct {
		Email    string `json:"email"`
		IsActive bool   `json:"is_active"`
	}
	if err := json.Unmarshal([]byte(homeroom(t, url, "operator", "list", "-o", "json").expect(t, 0).stdout), &rows); err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	for _, row := range rows {
		if row.IsActive != (row.Email != "grace@example.org") {
			t.Errorf("%+v", row)
		}
	}

	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	s := start(t, cmd)
	for email, status := range map[string]int{"ada@example.org": 200, "grace@example.org": 401, "joan@example.org": 401} {
		got, text := s.send(t, "POST", "localhost", "", "/api/v1/system/auth/login/", `{"email":"`+email+`","password":"`+password+`"}`)
		if got != status {
			t.Errorf("%s: %d %s", email, got, text)
		}
	}
	if code := s.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(s.stderr.String(), "example.org") || strings.Contains(s.stderr.String(), password) {
		t.Errorf("the log tells of more than it should\n%s", &s.stderr)
	}
}

// TestSigningKeys holds that a key that signs no more is good until it is taken away.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test").expect(t, 0)
	const before, after, other = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU="
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(after+"\n"+before+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, t.TempDir(), "serve", "--signing-key-file", file)
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	s := start(t, cmd)
	for keys, want := range map[string]int{before: 200, after: 200, other: 401, before + "," + other: 200} {
		token := homeroom(t, url, "school", "impersonate", "elm", "--reason", "a test", "--signing-key", keys).expect(t, 0).stdout
		if status, text := s.get(t, "elm.test", strings.TrimSpace(token), "/api/v1/school/"); status != want {
			t.Errorf("signed by %s: %d %s", keys, status, text)
		}
	}
}

// TestSchoolWithAdmin goes from a school made from a shell to its admin's login.
func TestSchoolWithAdmin(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test", "--admin-email", "x@example.org").expect(t, 2, "admin-name")
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test", "--admin-email", "x", "--admin-name", "Ada").expect(t, 1, "e-mail address")
	said := homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--base-domain", "test", "--admin-email", "ada@example.org", "--admin-name", "Ada Lovelace").expect(t, 0).stderr
	token := regexp.MustCompile("hri_[0-9a-z_]+").FindString(said)
	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	s := start(t, cmd)
	for _, want := range []int{200, 422} { // once
		if got, text := s.send(t, "POST", "elm.test", "", "/api/v1/auth/accept-invite/", `{"token":"`+token+`","password":"a walk along the river"}`); got != want {
			t.Errorf("%d, want %d: %s", got, want, text)
		}
	}
	got, text := s.send(t, "POST", "elm.test", "", "/api/v1/auth/login/", `{"email":"ada@example.org","password":"a walk along the river"}`)
	var in struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &in); got != 200 || err != nil {
		t.Fatal(got, text, err)
	}
	for host, want := range map[string]int{"elm.test": 200, "localhost": 404} {
		if got, text := s.get(t, host, in.AccessToken, "/api/v1/me/"); got != want {
			t.Errorf("%s: %d %s", host, got, text)
		}
	}
	if got, text := s.get(t, "localhost", in.AccessToken, "/api/v1/system/me/"); got != 401 {
		t.Errorf("the system API: %d %s", got, text)
	}
	if got := ask[string](t, url, "SELECT coalesce(min(address), '') FROM school_elm.refresh_tokens"); got != "127.0.0.1" {
		t.Errorf("the address is %q", got)
	}
}
