package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// elsewhere is where the data lives when the server's account cannot enter the folder, which then
// holds a link to it. It is not /var/tmp, which some systems clear of old files one by one.
const (
	elsewhere = "/var/lib/homeroom"
	link      = "moved"
)

// home is the folder of a server, and the account that its processes run as.
type home struct {
	dir  string
	cred *syscall.Credential // nil: our own account
}

// settle makes the folder dir ready for a server. Root and a folder that the server's account cannot
// enter, such as a checkout below /root, end in a folder elsewhere.
func settle(ctx context.Context, dir string) (home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return home{}, fmt.Errorf("find the folder for PostgreSQL: %w", err)
	}
	moved, err := os.Readlink(filepath.Join(dir, link))
	if err != nil {
		h, err := own(dir)
		if err != nil || h.enter(ctx) == nil {
			return h, err
		}
		if err := ctx.Err(); err != nil {
			return home{}, err
		}
		if moved, err = divert(dir); err != nil {
			return home{}, fmt.Errorf("the account of PostgreSQL cannot enter %s, so its data belongs in %s: %w", dir, elsewhere, err)
		}
	}
	if filepath.Dir(filepath.Clean(moved)) != elsewhere {
		return home{}, fmt.Errorf("the link %s does not lead to a folder in %s: remove it", filepath.Join(dir, link), elsewhere)
	}
	h, err := own(moved)
	if err == nil {
		err = h.enter(ctx)
	}
	if err != nil {
		return home{}, fmt.Errorf("use the data of %s in %s: %w", dir, moved, err)
	}
	return h, nil
}

// divert makes a folder elsewhere and the link to it in dir. The link alone says which it is: without
// it, as after dir was removed, the next start begins with new data.
func divert(dir string) (moved string, err error) {
	if err := os.MkdirAll(elsewhere, 0o755); err != nil {
		return "", err
	}
	if err := os.Chmod(elsewhere, 0o755); err != nil { // whatever the umask
		return "", err
	}
	if moved, err = os.MkdirTemp(elsewhere, "postgres-"); err != nil {
		return "", err
	}
	err = os.Symlink(moved, filepath.Join(dir, link))
	if errors.Is(err, fs.ErrExist) { // another process was faster
		_ = os.Remove(moved)
		return os.Readlink(filepath.Join(dir, link))
	}
	return moved, err
}

// enter tries whether the server's account can enter the folder.
func (h home) enter(ctx context.Context) error {
	if h.cred == nil {
		return nil
	}
	return h.command(ctx, "sh", "-c", `cd "$1"`, "sh", h.dir).Run()
}

// own makes dir when it is missing, for the server's account alone. A folder with other things in it
// is refused: it would lose its owner and its permissions.
func own(dir string) (home, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return home{}, fmt.Errorf("make the folder for PostgreSQL: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return home{}, fmt.Errorf("make the folder for PostgreSQL: %w", err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return home{}, fmt.Errorf("find the folder for PostgreSQL: %w", err)
	}
	uid, gid, err := owner(dir)
	if err != nil {
		return home{}, err
	}
	h := home{dir: dir}
	if os.Geteuid() == 0 {
		if uid == 0 {
			if uid, gid, err = account(); err != nil {
				return home{}, err
			}
		}
		h.cred = &syscall.Credential{Uid: uid, Gid: gid}
	} else if uid != uint32(os.Geteuid()) {
		return home{}, fmt.Errorf("the folder %s belongs to another account (%d): run as that account, or choose another folder", dir, uid)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return home{}, fmt.Errorf("read the folder for PostgreSQL: %w", err)
	}
	if len(entries) > 0 && !exists(h.path("lock")) && !exists(h.path("running")) && !exists(h.path(link)) {
		return home{}, fmt.Errorf("the folder %s holds other things than a PostgreSQL of homeroom: choose an empty or a new one", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return home{}, fmt.Errorf("make the folder for PostgreSQL private: %w", err)
	}
	return h, h.give(dir)
}

func owner(dir string) (uid, gid uint32, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("look at the folder for PostgreSQL: %w", err)
	}
	if !info.IsDir() {
		return 0, 0, fmt.Errorf("%s is not a folder", dir)
	}
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid, nil
}

// account is what root runs the server as, because PostgreSQL refuses root.
func account() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseInt(u.Uid, 10, 64) // macOS knows nobody as -2
		gid, err2 := strconv.ParseInt(u.Gid, 10, 64)
		if err1 == nil && err2 == nil {
			return uint32(uid), uint32(gid), nil
		}
	}
	return 0, 0, errors.New("PostgreSQL refuses to run as root, and there is no account postgres or nobody to run it as: run homeroom as another account")
}

// give makes path the server account's. The path is ours, in a folder that only it and root can write.
func (h home) give(path string) error {
	if h.cred == nil {
		return nil
	}
	if err := os.Lchown(path, int(h.cred.Uid), int(h.cred.Gid)); err != nil {
		return fmt.Errorf("give %s to the account of PostgreSQL: %w", path, err)
	}
	return nil
}

// open opens a file of the folder, made when missing. Links are not followed: as root they could lead
// to a file that the server's account has no right to.
func (h home) open(name string, flag int) (*os.File, error) {
	f, err := os.OpenFile(h.path(name), flag|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a file of PostgreSQL's folder: %w", err)
	}
	if h.cred != nil {
		if err := f.Chown(int(h.cred.Uid), int(h.cred.Gid)); err != nil {
			f.Close()
			return nil, fmt.Errorf("give a file to the account of PostgreSQL: %w", err)
		}
	}
	return f, nil
}

// tryLock takes the lock name, which lasts until the file is closed here and in every process that
// inherited it. The error wraps EWOULDBLOCK when it is taken.
func (h home) tryLock(name string) (*os.File, error) {
	f, err := h.open(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// lock serializes starts and stops.
func (h home) lock(ctx context.Context) (*os.File, error) {
	for {
		f, err := h.tryLock("lock")
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for another start or stop of PostgreSQL in %s: %w", h.dir, err)
		}
	}
}

// command prepares a program to run as the server's account, in a process group of its own, so that ^C
// on the terminal does not reach it. (In a session of its own Linux gives it a separate share of the
// processor, and it starves for seconds when others are busy.) Little of the environment is passed on:
// PGPORT, TZ or LANG would change what the server does.
func (h home) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: h.cred}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	for _, key := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	return cmd
}
