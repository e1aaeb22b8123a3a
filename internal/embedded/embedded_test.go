package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

const helperEnv = "EMBEDDED_TEST_HELPER"

// programs chooses the PostgreSQL to test with.
var programs = os.Getenv("HOMEROOM_POSTGRES_BIN")

// TestMain is also the other process of the tests: it uses the server of a folder until its input ends.
func TestMain(m *testing.M) {
	dir := os.Getenv(helperEnv)
	if dir == "" {
		goleak.VerifyTestMain(m)
		return
	}
	s, err := Start(context.Background(), Options{Dir: dir, Bin: programs, Volatile: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URL("postgres"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// helper is another process that uses the server of a folder.
type helper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

func startHelper(t *testing.T, dir string) *helper {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &helper{cmd, stdin, bufio.NewReader(out)}
}

// url waits until the helper has the server.
func (h *helper) url(t *testing.T) string {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("the helper says %q (%v)", line, err)
	}
	return strings.TrimSpace(line)
}

func (h *helper) finish(t *testing.T) {
	t.Helper()
	must(t, h.stdin.Close())
	must(t, h.cmd.Wait())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder returns a new one that the server's account can enter, which t.TempDir's parent may forbid.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "embedded-test-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		waitDown(t, filepath.Join(dir, "pg"))
		must(t, os.RemoveAll(dir))
	})
	return filepath.Join(dir, "pg")
}

// start uses the server of dir until the end of the test.
func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Bin: programs, Volatile: true})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// query returns the one value of an SQL query.
func query[T any](t *testing.T, url, sql string) T {
	t.Helper()
	value, err := tryQuery[T](url, sql)
	must(t, err)
	return value
}

func tryQuery[T any](url, sql string) (value T, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	must(t, err)
}

func isDown(dir string) bool {
	f, err := (home{dir: dir}).tryLock("running")
	if err == nil {
		f.Close()
	}
	return !errors.Is(err, syscall.EWOULDBLOCK)
}

func waitDown(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !isDown(dir); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server in %s still runs", dir)
		}
	}
}

func pidOf(dir string) int { return home{dir: dir}.postmaster().pid }

func TestKeepsData(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	begun := time.Now()
	s := start(t, dir)
	t.Logf("first start: %v", time.Since(begun))
	exec1(t, s.URL("postgres"), "CREATE TABLE kept AS SELECT 'ÅÉ' AS name")
	begun = time.Now()
	must(t, s.Close())
	must(t, s.Close())
	t.Logf("stop: %v", time.Since(begun))
	if !isDown(dir) {
		t.Error("the last one closed, and the server runs")
	}
	begun = time.Now()
	s = start(t, dir)
	t.Logf("later start: %v", time.Since(begun))
	if got := query[string](t, s.URL("postgres"), "SELECT lower(name) FROM kept"); got != "åé" {
		t.Errorf("lower() gives %q", got)
	}
	if n := query[int](t, s.URL("postgres"), "SELECT count(*) FROM kept WHERE to_tsvector(name) @@ to_tsquery('åé')"); n != 1 {
		t.Errorf("text search finds %d rows", n)
	}
	for name, want := range map[string]string{
		"wal_level": "logical", "max_locks_per_transaction": "256", "listen_addresses": "", "fsync": "off",
		"TimeZone": "UTC", "server_encoding": "UTF8", "max_connections": "100",
	} {
		if got := query[string](t, s.URL("postgres"), "SELECT current_setting('"+name+"')"); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func TestSecondAttachesLastStops(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := start(t, dir)
	pid := pidOf(dir)
	begun := time.Now()
	second := start(t, dir)
	t.Logf("attach: %v", time.Since(begun))
	h := startHelper(t, dir)
	url := h.url(t)
	must(t, first.Close())
	must(t, second.Close())
	if got := query[int](t, url, "SELECT 1"); got != 1 || pidOf(dir) != pid {
		t.Errorf("the server is %d, was %d", pidOf(dir), pid)
	}
	h.finish(t)
	if !isDown(dir) {
		t.Error("the last one let go, and the server runs")
	}
}

// The server must be the watchdog's alone: a FIFO that it or its children hold would never close.
func TestServerHoldsNoFIFO(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("needs /proc")
	}
	dir := folder(t)
	s := start(t, dir)
	pid := query[int](t, s.URL("postgres"), "SELECT pg_backend_pid()")
	for _, pid := range []int{pidOf(dir), pid} {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			if to, _ := os.Readlink(fd); strings.HasSuffix(to, "/fifo") {
				t.Errorf("process %d holds %s", pid, to)
			}
		}
	}
	if st, err := os.Stat(fmt.Sprintf("/proc/%d", pidOf(dir))); err != nil || st.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Errorf("the server runs as root (%v)", err)
	}
}

func TestKilledUser(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	h := startHelper(t, dir)
	exec1(t, h.url(t), "CREATE TABLE kept AS SELECT 7 AS n")
	s := start(t, dir)
	must(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
	if got := query[int](t, s.URL("postgres"), "SELECT n FROM kept"); got != 7 {
		t.Errorf("read %d", got)
	}
	must(t, s.Close())

	h = startHelper(t, dir)
	h.url(t)
	must(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
	waitDown(t, dir)
	s = start(t, dir)
	if got := query[int](t, s.URL("postgres"), "SELECT n FROM kept"); got != 7 {
		t.Errorf("read %d", got)
	}
}

func TestFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	helpers := []*helper{startHelper(t, dir), startHelper(t, dir), startHelper(t, dir)}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if s, err := Start(t.Context(), Options{Dir: dir, Bin: programs, Volatile: true}); err != nil {
				t.Error(err)
			} else if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	ids := map[int64]bool{}
	for _, h := range helpers {
		ids[query[int64](t, h.url(t), "SELECT system_identifier FROM pg_control_system()")] = true
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("%d servers on one folder", len(ids))
	}
	for _, h := range helpers {
		h.finish(t)
	}
	if !isDown(dir) {
		t.Error("all let go, and the server runs")
	}
}

// Whoever has got the server can use it, however closely others leave, are killed or come.
func TestComeAndGo(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, start(t, dir).Close())
	end := time.Now().Add(4 * time.Second)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				s, err := Start(t.Context(), Options{Dir: dir, Bin: programs, Volatile: true})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tryQuery[int](s.URL("postgres"), "SELECT 1"); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := 0; time.Now().Before(end); i++ {
		h := startHelper(t, dir)
		if i%2 == 0 {
			h.url(t)
		} else {
			time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		}
		must(t, h.cmd.Process.Kill())
		_ = h.cmd.Wait()
	}
	wg.Wait()
	waitDown(t, dir)
}

func TestKilledServerAndWatchdog(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	must(t, syscall.Kill(pidOf(dir), syscall.SIGKILL))
	waitDown(t, dir)
	must(t, s.Close())
	s = start(t, dir)
	query[int](t, s.URL("postgres"), "SELECT 1")

	pid := pidOf(dir)
	for _, watchdog := range watchdogs(t, dir) {
		must(t, syscall.Kill(watchdog, syscall.SIGKILL))
	}
	next := start(t, dir)
	if query[int](t, next.URL("postgres"), "SELECT 1"); pidOf(dir) == pid {
		t.Error("joined a server without a watchdog")
	}
}

// watchdogs lists the processes of a folder's watchdog.
func watchdogs(t *testing.T, dir string) (pids []int) {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	if commands == nil {
		t.Skip("needs /proc")
	}
	for _, path := range commands {
		text, _ := os.ReadFile(path)
		if strings.HasPrefix(string(text), "sh\x00") && strings.Contains(string(text), dir+"/attached") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			must(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}
