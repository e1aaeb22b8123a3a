// Package embedded runs a private PostgreSQL in a folder, for homeroom dev and for the tests.
//
// The server belongs to all processes that use it and to none in particular: each holds a FIFO in
// the folder open for writing, and a small watchdog stops the server when the last of them has let
// go, be it by Close, by exiting or by being killed.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// closeTimeout bounds a stop; the watchdog resorts to SIGKILL well before.
const closeTimeout = 45 * time.Second

// errGone says that no watchdog reads the FIFO: no server runs, or it is being stopped.
var errGone = errors.New("the PostgreSQL server is not running")

// Options say where the server lives and how it runs. All but Dir only count for the process that
// starts the server; one that attaches takes it as it is.
type Options struct {
	// Dir is the folder of the data, the log and the socket; it is created when missing, and must
	// hold nothing else.
	Dir string
	// Bin is the folder of PostgreSQL's programs; empty takes what FindBin finds.
	Bin string
	// Volatile trades the safety of the data in a crash of the machine for speed.
	Volatile bool
	// MaxConnections is 100 when zero.
	MaxConnections int
}

// Server is one process's use of a running PostgreSQL. It is safe for concurrent use.
type Server struct {
	home   home
	socket string
	users  *os.File // locked shared by every user, so that the last one knows that it is
	hold   *os.File // the FIFO: while it is open the watchdog lets the server run
	close  func() error

	watchdog *exec.Cmd // to be waited for; nil in a process that attached
}

// Start returns a use of the PostgreSQL in o.Dir once it answers: of the running one, else of one
// that it starts, on data that it makes when there is none. As root the server runs as the owner of
// the folder, else as postgres or nobody; where that account cannot enter the folder, the data lives
// under /var/lib/homeroom and the folder holds a link to it.
//
// Any number of processes may call Start at once. The error wraps ErrNotFound when PostgreSQL or the
// version that the data needs is not installed; no data is ever removed. When ctx ends during the
// start, what was begun is stopped; afterwards ctx has no effect.
func Start(ctx context.Context, o Options) (*Server, error) {
	h, err := settle(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := h.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	s, err := h.attach(ctx)
	if !errors.Is(err, errGone) {
		return s, err
	}
	running, err := h.down(ctx)
	if err != nil {
		return nil, err
	}
	defer running.Close()
	return h.boot(ctx, o, running)
}

// URL returns the address of a database, for pgx and for psql, as the superuser.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User("postgres"),
		Path:     "/" + database,
		RawQuery: url.Values{"host": {s.socket}, "port": {"5432"}}.Encode(),
	}
	return u.String()
}

// Close lets go of the server. When no other process uses it, Close returns once it is down, and
// fails when that takes too long; the data stays. Later calls return what the first did.
func (s *Server) Close() error { return s.close() }

// attach joins the running server, or fails with errGone.
func (h home) attach(ctx context.Context) (*Server, error) {
	hold, err := os.OpenFile(h.path("fifo"), os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ENXIO) || errors.Is(err, os.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("attach to PostgreSQL: %w", err)
	}
	// Not before the FIFO is open: an answer to the one before could come in between.
	if err := os.Remove(h.path("attached")); err != nil && !errors.Is(err, os.ErrNotExist) {
		hold.Close()
		return nil, fmt.Errorf("attach to PostgreSQL: %w", err)
	}
	h.trimLog()
	return h.join(ctx, hold)
}

// join waits until the server behind hold is ready, and fails with errGone once its watchdog has
// let go. An open FIFO alone proves nothing, for the watchdog may have seen the last user leave just
// before: it has to answer a line by making the file "attached".
func (h home) join(ctx context.Context, hold *os.File) (*Server, error) {
	users, err := h.open("users", os.O_RDWR)
	if err == nil {
		err = syscall.Flock(int(users.Fd()), syscall.LOCK_SH)
	}
	s := &Server{home: h, users: users, hold: hold}
	s.close = sync.OnceValue(s.letGo)
	for err == nil {
		if _, err = hold.WriteString("\n"); errors.Is(err, syscall.EPIPE) {
			err = errGone
		} else if err == nil && exists(h.path("attached")) {
			if p := h.postmaster(); p.ready {
				s.socket = p.socket
				return s, nil
			}
		}
		if err == nil {
			err = pause(ctx, 5*time.Millisecond)
		}
	}
	users.Close()
	hold.Close()
	return nil, err
}

func (s *Server) letGo() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	lock, err := s.home.lock(ctx)
	if err == nil {
		defer lock.Close()
	}
	others := syscall.Flock(int(s.users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	s.users.Close()
	s.hold.Close()
	if err != nil || others != nil {
		return err
	}
	running, err := s.home.down(ctx)
	if err != nil {
		return fmt.Errorf("stop PostgreSQL in %s: %w", s.home.dir, err)
	}
	if s.watchdog != nil {
		_ = s.watchdog.Wait()
	}
	return running.Close()
}

// down waits until no process of a server is left and returns the lock that says so. The watchdog
// stops the server; should it be gone, the server is told here.
func (h home) down(ctx context.Context) (*os.File, error) {
	told := time.Now()
	for {
		running, err := h.tryLock("running")
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return running, err
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			if p := h.postmaster(); serves(ctx, p.pid, h.path("data")) {
				_ = syscall.Kill(p.pid, syscall.SIGINT)
			}
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// pause waits before the next look at something that cannot be waited for.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (h home) path(name string) string { return filepath.Join(h.dir, name) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
