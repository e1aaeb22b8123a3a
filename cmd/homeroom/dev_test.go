package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// A first look, and a second: everything that was there is there again, also after a kill -9.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := testkit.TempDir(t)
	data := filepath.Join(dir, ".homeroom", "postgres", "data")
	first := start(t, program(t, dir, "dev"))
	if status, _ := first.get(t, "localhost", "", "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d", status)
	}
	status, text := first.get(t, "localhost", first.SystemKey, "/api/v1/system/schools/")
	if status != http.StatusOK || !strings.Contains(text, `"greenwood"`) || !strings.Contains(text, `"riverside"`) {
		t.Fatal(status, text)
	}
	for _, code := range []string{"greenwood", "riverside"} {
		token := strings.TrimSpace(finish(t, program(t, dir, "school", "impersonate", code, "--reason", "test")).expect(t, 0).stdout)
		if n := first.count(t, code+".localhost", token, "/api/v1/students/"); n < 200 {
			t.Errorf("%s has %d students", code, n)
		}
	}
	if status, text := first.send(t, http.MethodPost, "localhost", first.SystemKey, "/api/v1/system/schools/", `{"name":"Elm","code":"elm"}`); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); err != nil {
		t.Fatal(err)
	}
	if code := first.stop(t, syscall.SIGKILL); code != -1 {
		t.Errorf("killed, it ended with %d", code)
	}
	waitForNoServer(t, data)

	second := start(t, program(t, dir, "dev"))
	if second.SystemKey != first.SystemKey {
		t.Error("the system key is another one")
	}
	if status, text := second.get(t, "elm.localhost", "", "/openapi.json"); status != http.StatusOK {
		t.Errorf("a school that was created is gone: %s", text)
	}
	if code := second.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("stopped, it ended with %d: %s", code, second.stderr.String())
	}
	if strings.Contains(second.stderr.String(), "making the demo school") {
		t.Error("the demo schools were made again")
	}
	waitForNoServer(t, data)
	if _, err := os.Stat(filepath.Join(dir, ".homeroom", "system.key")); err != nil {
		t.Error(err)
	}
}

// waitForNoServer waits until the private PostgreSQL has stopped: it takes its pid file away last.
func waitForNoServer(t *testing.T, data string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); os.IsNotExist(err) {
			return
		}
	}
	t.Error("PostgreSQL is still running")
}

func TestMissingPostgres(t *testing.T) {
	t.Parallel()
	cmd := program(t, testkit.TempDir(t), "dev", "--postgres-bin", t.TempDir())
	finish(t, cmd).expect(t, exitNotReady, "install")
}

func TestReadyFileIsWrittenWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ready.json")
	want := readiness{URL: "http://127.0.0.1:1", PID: 7, DatabaseURL: "postgres://x", SystemKey: "hr_1"}
	if err := writeReady(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got readiness
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%s: %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	if err := writeReady(filepath.Join(path, "below"), want); !errors.Is(err, syscall.ENOTDIR) {
		t.Error(err)
	}
}
