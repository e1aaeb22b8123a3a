package embedded

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

//go:embed watchdog.sh
var watchdog string

// maxSocketFolder leaves room for the socket's name: the kernel takes paths of about 100 bytes.
const maxSocketFolder = 85

// maxLog is the size from which the next process that attaches empties the log.
const maxLog = 16 << 20

// boot starts the server. Its processes inherit running, a lock that thus is free only when the last
// of them is gone, however they end.
func (h home) boot(ctx context.Context, o Options, running *os.File) (*Server, error) {
	if p := h.postmaster(); serves(ctx, p.pid, h.path("data")) {
		return nil, fmt.Errorf("a PostgreSQL that homeroom did not start (process %d) uses %s: stop it first", p.pid, h.path("data"))
	}
	bin, err := h.programs(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	if err := h.initialize(ctx, bin.Dir, o.Volatile, running); err != nil {
		return nil, err
	}
	socket, err := h.clear()
	if err != nil {
		return nil, err
	}
	watchdog, hold, err := h.spawn(ctx, append([]string{socket, filepath.Join(bin.Dir, "postgres")}, h.settings(o, socket)...), running)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s, err := h.join(ctx, hold)
	if err == nil {
		s.watchdog = watchdog
		return s, nil
	}
	_ = watchdog.Wait() // it stops the server first
	if errors.Is(err, errGone) {
		err = fmt.Errorf("it stopped; the end of %s:\n%s", h.path("log"), h.lastLines())
	}
	return nil, fmt.Errorf("start PostgreSQL: %w", err)
}

// programs finds those that the data needs, or the newest for new data.
func (h home) programs(ctx context.Context, dir string) (Bin, error) {
	version, err := os.ReadFile(h.path("data/PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return FindBin(ctx, dir, 0)
	}
	if err != nil {
		return Bin{}, fmt.Errorf("read the version of the data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(version)))
	if err != nil {
		return Bin{}, fmt.Errorf("%s does not hold the version of the data: %w", h.path("data/PG_VERSION"), err)
	}
	bin, err := FindBin(ctx, dir, major)
	if err != nil {
		return Bin{}, fmt.Errorf("the data in %s was made by PostgreSQL %d and is left as it is: %w", h.path("data"), major, err)
	}
	return bin, nil
}

// initialize makes the data unless it is there. It appears whole or not at all, so that a crash in
// between leaves nothing that the next start would trip over.
func (h home) initialize(ctx context.Context, bin string, volatile bool, running *os.File) error {
	if exists(h.path("data")) {
		return nil
	}
	// A locale with UTF-8 makes lower() and text search work beyond ASCII; the last one always exists.
	locales := [][]string{{"--locale=C.UTF-8"}, {"--locale=C", "--lc-ctype=en_US.UTF-8"}, {"--locale=C"}}
	fresh := h.path("data.new")
	defer os.RemoveAll(fresh)
	var first error
	for _, locale := range locales {
		if err := os.RemoveAll(fresh); err != nil {
			return fmt.Errorf("make the data of PostgreSQL: %w", err)
		}
		args := append([]string{
			"-D", fresh, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
			"--locale-provider=libc", "--text-search-config=simple", "--no-instructions",
		}, locale...)
		if volatile {
			args = append(args, "--no-sync")
		}
		cmd := h.command(ctx, filepath.Join(bin, "initdb"), args...)
		cmd.ExtraFiles = []*os.File{running}
		out, err := cmd.CombinedOutput()
		if err == nil {
			return os.Rename(fresh, h.path("data"))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("make the data of PostgreSQL: %w", context.Cause(ctx))
		}
		if first == nil {
			first = fmt.Errorf("make the data of PostgreSQL: %w\n%s", err, bytes.TrimSpace(out))
		}
	}
	return first
}

// clear removes what a server that was killed left, and makes the folder of the socket. PostgreSQL
// would take a left-over process id for a running server when another process has that id by now.
func (h home) clear() (socket string, err error) {
	for _, path := range []string{"data/postmaster.pid", "socket", "fifo", "attached"} {
		if err := os.RemoveAll(h.path(path)); err != nil {
			return "", fmt.Errorf("tidy up before the start of PostgreSQL: %w", err)
		}
	}
	socket = h.path("socket")
	if len(socket) > maxSocketFolder || strings.ContainsAny(socket, `,"`) { // a list to pgx and to PostgreSQL
		socket, err = os.MkdirTemp("/tmp", "homeroom-")
	} else {
		err = os.Mkdir(socket, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("make the folder of the socket: %w", err)
	}
	return socket, h.give(socket)
}

// settings go on the command line, so that they hold for data made by any earlier homeroom.
func (h home) settings(o Options, socket string) []string {
	if o.MaxConnections == 0 {
		o.MaxConnections = 100
	}
	args := []string{"-D", h.path("data"), "-p", "5432"}
	set := func(pairs ...string) {
		for _, pair := range pairs {
			args = append(args, "-c", pair)
		}
	}
	set("listen_addresses=", "unix_socket_directories="+socket, "timezone=UTC", "log_timezone=UTC",
		fmt.Sprintf("max_connections=%d", o.MaxConnections),
		"max_locks_per_transaction=256", // one transaction may touch the tables of many schools
		"wal_level=logical",             // to move a school to another database
		"shared_buffers=128MB",
		// A line for each error, no statements: they hold names and phone numbers.
		"logging_collector=off", "log_destination=stderr", "log_checkpoints=off", "log_min_error_statement=panic")
	if o.Volatile {
		set("fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	return args
}

// spawn starts the watchdog, and returns the end of the FIFO that keeps it from stopping the server.
func (h home) spawn(ctx context.Context, args []string, running *os.File) (*exec.Cmd, *os.File, error) {
	log, err := h.open("log", os.O_WRONLY|os.O_APPEND|os.O_TRUNC)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	if err := syscall.Mkfifo(h.path("fifo"), 0o600); err != nil {
		return nil, nil, fmt.Errorf("make the FIFO %s: %w", h.path("fifo"), err)
	}
	if err := h.give(h.path("fifo")); err != nil {
		return nil, nil, err
	}
	read, hold, err := openFIFO(h.path("fifo"))
	if err != nil {
		return nil, nil, err
	}
	defer read.Close()
	args = append([]string{"-c", watchdog, "homeroom-postgres", h.path("attached")}, args...)
	cmd := h.command(context.WithoutCancel(ctx), "sh", args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{running, read}
	if err := cmd.Start(); err != nil {
		hold.Close()
		return nil, nil, err
	}
	return cmd, hold, nil
}

// openFIFO opens both ends. The reader must block, which rules out package os: it would share its
// non-blocking mode with the watchdog that inherits it.
func openFIFO(path string) (read, write *os.File, err error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open the FIFO %s: %w", path, err)
	}
	if err = syscall.SetNonblock(fd, false); err == nil {
		write, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	}
	read = os.NewFile(uintptr(fd), path)
	if err != nil {
		read.Close()
		return nil, nil, fmt.Errorf("open the FIFO: %w", err)
	}
	return read, write, nil
}

// postmaster is what the server says of itself in postmaster.pid.
type postmaster struct {
	pid    int
	socket string
	ready  bool
}

func (h home) postmaster() postmaster {
	text, _ := os.ReadFile(h.path("data/postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if len(lines) < 8 {
		lines = append(lines, make([]string, 8)...)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(lines[0]))
	return postmaster{pid: pid, socket: lines[4], ready: strings.TrimSpace(lines[7]) == "ready"}
}

// serves reports whether process pid is a PostgreSQL on the folder data; process ids are reused. A
// server works in the folder of its data, where that can't be seen its name must do.
func serves(ctx context.Context, pid int, data string) bool {
	if pid <= 1 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	if exists("/proc/self/cwd") {
		cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
		folder, err2 := os.Stat(data)
		return err == nil && err2 == nil && os.SameFile(cwd, folder)
	}
	out, _ := exec.CommandContext(ctx, "ps", "-o", "stat=,comm=", "-p", strconv.Itoa(pid)).Output()
	return !bytes.HasPrefix(out, []byte("Z")) && bytes.Contains(out, []byte("postgres"))
}

// lastLines returns the end of the log, which says why a start failed.
func (h home) lastLines() string {
	text, _ := os.ReadFile(h.path("log"))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// trimLog keeps the log of a server that runs for weeks small; a start empties it. The server appends,
// so it goes on at the beginning.
func (h home) trimLog() {
	if info, err := os.Lstat(h.path("log")); err != nil || info.Size() < maxLog {
		return
	}
	if log, err := h.open("log", os.O_WRONLY|os.O_TRUNC); err == nil {
		log.Close()
	}
}
