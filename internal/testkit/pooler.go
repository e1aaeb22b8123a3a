package testkit

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts PgBouncer in transaction mode before the server at address and returns the address to use
// instead, for any of its databases. It does not announce itself there (pool_mode=transaction). Without the
// program the test is skipped.
func Pooler(tb testing.TB, address string) string {
	tb.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; exec.CommandContext(tb.Context(), program, "--version").Run() != nil {
			tb.Skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
		}
	}
	config, err := pgx.ParseConfig(address)
	must(tb, err)
	dir, err := os.MkdirTemp("/tmp", "bouncer-")
	must(tb, err)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	// Parameters that it does not know it would refuse; the server's defaults are as good.
	must(tb, os.WriteFile(filepath.Join(dir, "ini"), fmt.Appendf(nil, `[databases]
* = host=%s port=%d user=%s
[pgbouncer]
unix_socket_dir = %s
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
server_login_retry = 1
logfile = %[4]s/log
`, config.Host, config.Port, config.User, dir), 0o600))
	command := exec.CommandContext(context.Background(), program, "-q", filepath.Join(dir, "ini"))
	if os.Getuid() == 0 { // which it refuses to run as; the server's account may enter the server's socket
		info, err := os.Stat(config.Host)
		must(tb, err)
		owner := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // on every Unix
		must(tb, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
		must(tb, os.Chown(filepath.Join(dir, "ini"), int(owner.Uid), int(owner.Gid)))
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	must(tb, command.Start())
	tb.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	query := url.Values{"host": {dir}, "port": {"6432"}, "sslmode": {"disable"}, "default_query_exec_mode": {"simple_protocol"}}
	through := (&url.URL{Scheme: "postgres", User: url.User(config.User), Path: "/" + config.Database, RawQuery: query.Encode()}).String()
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), through)
		if err == nil {
			must(tb, conn.Close(context.Background()))
			return through
		}
		if time.Since(start) > 10*time.Second {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			tb.Fatalf("pgbouncer does not answer: %v\n%s", err, log)
		}
	}
}
