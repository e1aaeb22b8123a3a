package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server that was killed leaves its process id behind, and another program has it by now.
func TestReusedProcessID(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, start(t, dir).Close())
	h, err := own(dir)
	must(t, err)
	other := h.command(t.Context(), "sleep", "100")
	must(t, other.Start())
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	left := fmt.Sprintf("%d\n%s/data\n1700000000\n5432\n%s/socket\n\n  1 1\nready   \n", other.Process.Pid, dir, dir)
	must(t, os.Mkdir(h.path("socket"), 0o700))
	for _, name := range []string{"data/postmaster.pid", "socket/.s.PGSQL.5432.lock"} {
		must(t, os.WriteFile(h.path(name), []byte(left), 0o600))
		must(t, h.give(h.path(name)))
	}
	if got := query[int](t, start(t, dir).URL("postgres"), "SELECT 1"); got != 1 {
		t.Errorf("read %d", got)
	}
}

func TestServerOfSomeoneElse(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, start(t, dir).Close())
	h, err := own(dir)
	must(t, err)
	bin, err := FindBin(t.Context(), programs, 0)
	must(t, err)
	ctl := func(args ...string) {
		args = append(args, "-w", "-D", h.path("data"), "-l", h.path("log"), "-o", "-c listen_addresses= -k "+dir)
		must(t, h.command(context.Background(), filepath.Join(bin.Dir, "pg_ctl"), args...).Run())
	}
	ctl("start")
	_, err = Start(t.Context(), Options{Dir: dir, Bin: programs})
	ctl("stop")
	if err == nil || !strings.Contains(err.Error(), "did not start") {
		t.Errorf("started beside another server: %v", err)
	}
}

// A watchdog that has seen the last user leave may still have the FIFO open for a moment.
func TestAttachNeedsAnswer(t *testing.T) {
	t.Parallel()
	h, err := own(folder(t))
	must(t, err)
	must(t, syscall.Mkfifo(h.path("fifo"), 0o600))
	read, write, err := openFIFO(h.path("fifo"))
	must(t, err)
	defer read.Close()
	must(t, write.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.attach(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("joined a watchdog that does not answer: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { read.Close() })
	if _, err := h.attach(t.Context()); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
}

func TestMissingPrograms(t *testing.T) {
	t.Parallel()
	empty, dir := t.TempDir(), folder(t)
	_, err := Start(t.Context(), Options{Dir: dir, Bin: empty})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), empty) || !strings.Contains(err.Error(), "install") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

func TestDataOfAnotherMajor(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, start(t, dir).Close())
	must(t, os.WriteFile(dir+"/data/PG_VERSION", []byte("14\n"), 0o600))
	before := listing(t, dir+"/data")
	_, err := Start(t.Context(), Options{Dir: dir, Bin: programs})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "made by PostgreSQL 14") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
	if after := listing(t, dir+"/data"); after != before {
		t.Errorf("the data was %s and is %s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&all, path, info.Size(), info.ModTime())
		}
		return err
	}))
	return all.String()
}

func TestOddFolders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("long/", 25) + "pg", `a b'c$(d)"e,f/pg`} {
		dir := filepath.Join(filepath.Dir(folder(t)), name)
		s := start(t, dir)
		query[int](t, s.URL("postgres"), "SELECT 1")
		query[int](t, start(t, dir).URL("postgres"), "SELECT 1")
		if psql, err := exec.LookPath("psql"); err == nil {
			out, err := exec.Command(psql, "-Atc", "SELECT 42", s.URL("template1")).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "42" {
				t.Errorf("psql says %s (%v)", out, err)
			}
		}
		must(t, s.Close())
	}
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/letter", nil, 0o600))
	before, err := os.Stat(dir)
	must(t, err)
	if _, err := Start(t.Context(), Options{Dir: dir, Bin: programs}); err == nil || !strings.Contains(err.Error(), "other things") {
		t.Errorf("got %v", err)
	}
	if after, err := os.Stat(dir); err != nil || after.Mode() != before.Mode() {
		t.Errorf("the folder's mode was %v and is %v (%v)", before.Mode(), after.Mode(), err)
	}
}

func TestFailedStartShowsLog(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, start(t, dir).Close())
	must(t, os.WriteFile(dir+"/data/postgresql.auto.conf", []byte("work_mem = 'plenty'\n"), 0o600))
	_, err := Start(t.Context(), Options{Dir: dir, Bin: programs})
	if err == nil || !strings.Contains(err.Error(), "work_mem") {
		t.Errorf("got %v", err)
	}
	if !isDown(dir) {
		t.Error("something runs")
	}
}

// A start that is given up leaves no process, and nothing that the next start trips over.
func TestCancelledStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for wait := 10 * time.Millisecond; ; wait += wait / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		s, err := Start(ctx, Options{Dir: dir, Bin: programs, Volatile: true})
		cancel()
		if err == nil {
			query[int](t, s.URL("postgres"), "SELECT 1")
			must(t, s.Close())
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Minute < wait {
			t.Fatal(err)
		}
		waitDown(t, dir)
	}
}

// Root's own folders are closed to the account that the server runs as.
func TestUnreachableForAccount(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	closed := t.TempDir()
	must(t, os.Chmod(closed, 0o700))
	dir := filepath.Join(closed, "pg")
	s := start(t, dir)
	moved, err := os.Readlink(filepath.Join(dir, link))
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(moved)) })
	exec1(t, s.URL("postgres"), "CREATE TABLE kept AS SELECT 7 AS n")
	must(t, s.Close())
	renamed := filepath.Join(closed, "renamed")
	must(t, os.Rename(dir, renamed))
	s = start(t, renamed)
	if got := query[int](t, s.URL("postgres"), "SELECT n FROM kept"); got != 7 {
		t.Errorf("read %d", got)
	}
	must(t, s.Close())
}
