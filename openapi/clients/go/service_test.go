// Package client_test speaks to a running service through both clients.
package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
	"github.com/homeroom-sms/homeroom/openapi/clients/go/tenant"
)

const email, password = "ada@example.org", "a walk along the river"

type service struct {
	URL string `json:"url"`
}

// start runs the program that HOMEROOM_BIN names, with a private PostgreSQL and an owner, until the test ends.
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
	ready, data := filepath.Join(folder, "ready.json"), filepath.Join(folder, "data")
	cmd := exec.CommandContext(t.Context(), program, "dev", "--listen", "127.0.0.1:0", "--data-dir", data, "--ready-file", ready)
	cmd.Env, cmd.Stderr = append(os.Environ(), "HOMEROOM_LOG_LEVEL=error"), os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { <-ended }) // the test's context is done by now
	s := waitFor(t, ready, ended)
	owner := exec.CommandContext(t.Context(), program, "operator", "create", "--data-dir", data, "--email", email, "--name", "Ada Lovelace", "--role", "owner")
	owner.Stdin = strings.NewReader(password + "\n")
	if output, err := owner.CombinedOutput(); err != nil {
		t.Fatal(err, string(output))
	}
	return s
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

// connect speaks to the system API: with a token, or without any.
func (s service) connect(t *testing.T, token string) *system.ClientWithResponses {
	t.Helper()
	client, err := system.NewClientWithResponses(s.URL, system.WithRequestEditorFn(bearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// owner speaks to the system API as the owner, who has logged in.
func (s service) owner(t *testing.T) *system.ClientWithResponses {
	t.Helper()
	in, err := s.connect(t, "").LoginWithResponse(t.Context(), system.LoginInput{Email: email, Password: password})
	answered(t, http.StatusOK, in, err)
	return s.connect(t, in.JSON200.AccessToken)
}

// school speaks to the tenant API of the school that is served on the host.
func (s service) school(t *testing.T, host, token string) *tenant.ClientWithResponses {
	t.Helper()
	client, err := tenant.NewClientWithResponses(s.URL, tenant.WithRequestEditorFn(bearer(token)),
		tenant.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Host = host // which no resolver needs to know
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// answered fails the test unless there is an answer of the status.
func answered(t *testing.T, status int, answer interface {
	StatusCode() int
	GetBody() []byte
}, err error,
) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode() != status {
		t.Fatalf("%d, want %d: %s", answer.StatusCode(), status, answer.GetBody())
	}
}

// problem is what the answer says is wrong, in the words of its API's client.
func problem[P any](t *testing.T, answer interface {
	GetApplicationproblemJSONDefault() *P
	GetBody() []byte
}, err error,
) P {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetApplicationproblemJSONDefault() == nil {
		t.Fatalf("no problem: %s", answer.GetBody())
	}
	return *answer.GetApplicationproblemJSONDefault()
}
