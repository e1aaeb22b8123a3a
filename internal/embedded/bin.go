package embedded

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// MinMajor is the oldest PostgreSQL that is supported.
const MinMajor = 15

// ErrNotFound is wrapped by errors that say which PostgreSQL is missing, where it was looked for and
// which command installs it.
var ErrNotFound = errors.New("no suitable PostgreSQL is installed")

// Bin is a folder with PostgreSQL's programs, and their major version.
type Bin struct {
	Dir   string
	Major int
}

// places are where packages put the programs of a server, often outside of PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",                               // Debian
	"/usr/pgsql-*/bin",                                        // RPM
	"/usr/libexec/postgresql*",                                // Alpine
	"/opt/homebrew/opt/postgresql*/bin",                       // Homebrew
	"/usr/local/opt/postgresql*/bin",                          // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",          // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/[0-9]*/bin", // Postgres.app
}

var versionRE = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// FindBin finds PostgreSQL's programs of a major version, or with 0 the newest: in dir alone unless it
// is empty, else in PATH, where pg_config points and where packages put them.
// The error wraps ErrNotFound.
func FindBin(ctx context.Context, dir string, major int) (Bin, error) {
	looked, dirs := dir, []string{dir}
	if dir == "" {
		looked, dirs = "PATH, pg_config --bindir, "+strings.Join(places, ", "), search(ctx)
	}
	var found []Bin
	var others []string
	for _, dir := range dirs {
		m := version(ctx, dir)
		switch {
		case m == 0:
		case m == major || major == 0 && m >= MinMajor:
			found = append(found, Bin{Dir: dir, Major: m})
		default:
			others = append(others, fmt.Sprintf("%d in %s", m, dir))
		}
	}
	if err := ctx.Err(); err != nil {
		return Bin{}, err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b Bin) int { return a.Major - b.Major }), nil
	}
	wanted := fmt.Sprintf("version %d or newer", MinMajor)
	if major != 0 {
		wanted = fmt.Sprintf("version %d", major)
	}
	if others == nil {
		others = []string{"none"}
	}
	return Bin{}, fmt.Errorf("%w: looked for initdb and postgres, %s, in %s; found %s; install it with: %s",
		ErrNotFound, wanted, looked, strings.Join(others, ", "), install(major))
}

// search lists the folders that may hold the programs, each once.
func search(ctx context.Context) []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range places {
		matches, _ := filepath.Glob(pattern) // fails on malformed patterns alone
		dirs = append(dirs, matches...)
	}
	var found []string
	for _, dir := range dirs {
		// A link to postgres alone may be in PATH; initdb is beside what it leads to.
		if path, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			found = append(found, filepath.Dir(path))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// version returns the major version of the programs in dir, 0 when they are not all there.
func version(ctx context.Context, dir string) int {
	if !exists(filepath.Join(dir, "initdb")) {
		return 0
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if match := versionRE.FindSubmatch(out); err == nil && match != nil {
		major, _ := strconv.Atoi(string(match[1]))
		return major
	}
	return 0
}

// install returns the command that installs PostgreSQL on this system.
func install(major int) string {
	suffix := func(before string) string {
		if major == 0 {
			return ""
		}
		return before + strconv.Itoa(major)
	}
	brew := "brew install postgresql@" + strconv.Itoa(max(major, 17))
	if runtime.GOOS == "darwin" {
		return brew
	}
	commands := []struct{ tool, command string }{
		{"apt-get", "sudo apt-get install postgresql" + suffix("-")},
		{"dnf", "sudo dnf install postgresql" + suffix("") + "-server"},
		{"zypper", "sudo zypper install postgresql" + suffix("") + "-server"},
		{"apk", "sudo apk add postgresql" + suffix("")},
		{"pacman", "sudo pacman -S postgresql"},
		{"brew", brew},
	}
	for _, c := range commands {
		if _, err := exec.LookPath(c.tool); err == nil {
			return c.command
		}
	}
	return "the package manager of this system (package postgresql)"
}
