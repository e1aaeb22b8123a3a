package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary be the program itself, so that tests can start it, signal it and
// kill it.
func TestMain(m *testing.M) {
	if os.Getenv("HOMEROOM_TEST_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a command to run as a process of its own.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "HOMEROOM_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "HOMEROOM_TEST_PROGRAM=1")
	return cmd
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

// homeroom runs a command on the database at url, to its end.
func homeroom(t *testing.T, url string, args ...string) result {
	t.Helper()
	cmd := program(t, t.TempDir(), args...)
	if url != "" {
		cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	}
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// expect fails the test unless the command ended with the code and said all of the texts.
func (r result) expect(t *testing.T, code int, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("it does not say %q", text)
			code = -1
		}
	}
	if r.code != code {
		t.Fatalf("exit code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	return r
}

// service is a running dev or serve.
type service struct {
	readiness
	cmd    *exec.Cmd
	stderr bytes.Buffer // to be read once it has ended
	done   chan error
}

// start starts dev or serve and waits until requests are answered.
func start(t *testing.T, cmd *exec.Cmd) *service {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	cmd.Args = append(cmd.Args, "--listen", "127.0.0.1:0", "--ready-file", ready)
	s := &service{cmd: cmd, done: make(chan error, 1)}
	cmd.Stderr = &s.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(text, &s.readiness); err != nil {
				t.Fatalf("half a ready file: %s", text)
			}
			return s
		}
		select {
		case err := <-s.done:
			t.Fatalf("it ended: %v\n%s", err, s.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("it did not get ready")
		}
	}
}

// stop sends a signal and returns the exit code.
func (s *service) stop(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := <-s.done; err != nil {
		t.Log(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// get asks for a path on a host and returns the status and the body.
func (s *service) get(t *testing.T, host, token, path string) (int, string) {
	t.Helper()
	return s.send(t, http.MethodGet, host, token, path, "")
}

func (s *service) send(t *testing.T, method, host, token, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// count walks through a list of the tenant API and returns how many items it has.
func (s *service) count(t *testing.T, host, token, path string) (n int) {
	t.Helper()
	for cursor := ""; ; {
		status, text := s.get(t, host, token, path+"?limit=200&cursor="+cursor)
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  *string           `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
			t.Fatal(status, text, err)
		}
		n += len(page.Items)
		if page.Next == nil {
			return n
		}
		cursor = *page.Next
	}
}

// ask reads one value from the database at url.
func ask[T any](t *testing.T, url, sql string) (value T) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(context.Background(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
