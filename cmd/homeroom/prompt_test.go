package main

import (
	"bytes"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// Who is asked for something may stop the program instead.
func TestInterruptedPrompt(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	homeroom(t, url, "school", "create", "elm", "--name", "Elm", "--domain", "elm.test").expect(t, 0)
	testkit.On(t, url, "DROP INDEX school_elm.student_email")
	cmd := program(t, t.TempDir(), "migrate", "drift", "--fix", "--school", "elm")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if _, err := cmd.StdinPipe(); err != nil { // where nothing ever comes
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slow := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer slow.Stop()
	said := make([]byte, 512)
	var all strings.Builder
	for !strings.Contains(all.String(), "Type the school's code") {
		n, err := stderr.Read(said)
		if err != nil {
			t.Fatal(all.String(), err)
		}
		all.Write(said[:n])
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stderr)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(string(rest), "interrupted") {
		t.Errorf("exit code %d: %s", code, rest)
	}
}
