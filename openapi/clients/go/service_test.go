// Package client_test speaks to a running service through both clients.
package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
)

type service struct {
	URL       string `json:"url"`
	SystemKey string `json:"system_key"`
}

// start runs the program that HOMEROOM_BIN names, with a private PostgreSQL, until the test ends.
func start(t *testing.T) service {
	t.Helper()
	program := os.Getenv("HOMEROOM_BIN")
	if program == "" {
		t.Skip("HOMEROOM_BIN names no program: make test-clients builds it first")
	}
	folder, err := os.MkdirTemp("", "homeroom-client-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil { // under root, PostgreSQL runs as another account
		t.Fatal(err)
	}
	ready := filepath.Join(folder, "ready.json")
	cmd := exec.CommandContext(t.Context(), program, "dev", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(folder, "data"), "--ready-file", ready)
	cmd.Env, cmd.Stderr = append(os.Environ(), "HOMEROOM_LOG_LEVEL=error"), os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { <-ended }) // the test's context is done by now
	return waitFor(t, ready, ended)
}

func waitFor(t *testing.T, ready string, ended chan error) (s service) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		text, err := os.ReadFile(ready)
		if err == nil {
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("homeroom dev ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("homeroom dev was not ready within a minute")
	return s
}

// bearer sends a key or a token with every request.
func bearer(token string) func(context.Context, *http.Request) error {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

func connect(t *testing.T, s service) *system.ClientWithResponses {
	t.Helper()
	client, err := system.NewClientWithResponses(s.URL, system.WithRequestEditorFn(bearer(s.SystemKey)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}
