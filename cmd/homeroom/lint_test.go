package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ariga.io/atlas/sql/migrate"

	"github.com/homeroom-sms/homeroom/atlas"
	"github.com/homeroom-sms/homeroom/internal/fleet/lint"
)

// migrations is a copy of the committed migrations in a folder named atlas of a new folder.
func migrations(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "atlas", "public"), atlas.Public()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "atlas", "tenant"), atlas.Tenant()); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestMigrateLint(t *testing.T) {
	t.Parallel()
	root := migrations(t)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@y.test", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = root
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, output)
		}
	}
	lintThere := func(args ...string) result {
		t.Helper()
		return finish(t, program(t, root, append([]string{"migrate", "lint"}, args...)...))
	}
	lintThere().expect(t, exitUsage, "git branch main", "--since")
	git("init", "-q", "-b", "main")
	lintThere().expect(t, exitUsage, "git branch main", "--since")
	git("add", ".")
	git("commit", "-q", "-m", "x")
	lintThere().expect(t, exitDone, "0 new files, 0 findings")

	drop := "-- Modify \"students\" table\nALTER TABLE \"students\" DROP COLUMN \"email\";\n"
	if err := os.WriteFile(filepath.Join(root, "atlas", "tenant", "20991231000000_drop.sql"), []byte(drop), 0o600); err != nil {
		t.Fatal(err)
	}
	lintThere().expect(t, exitFailed, "atlas/tenant/20991231000000_drop.sql:2 error drop-column", "why: email: ", "instead: ", "1 new files, 1 findings")
	lintThere("--since", "20991231000000").expect(t, exitDone, "0 new files")
	lintThere("--base", "nowhere").expect(t, exitUsage, "git branch nowhere")
	lintThere("--all", "--since", "2").expect(t, exitUsage, "--since")
	lintThere("--dir", "elsewhere", "--all").expect(t, exitUsage, "elsewhere")

	var found []lint.Finding
	ended := lintThere("--since", "20990101000000", "-o", "json").expect(t, exitFailed)
	if err := json.Unmarshal([]byte(ended.stdout), &found); err != nil || len(found) != 1 || found[0].Rule != "drop-column" || found[0].Line != 2 {
		t.Errorf("%v %s", err, ended.stdout)
	}
}

func TestMigrateDiff(t *testing.T) {
	t.Parallel()
	root := migrations(t)
	diff := func() string {
		t.Helper()
		ended := finish(t, program(t, root, "migrate", "diff", "change"))
		if ended.code != exitDone {
			t.Error(ended.stderr)
		}
		return ended.stdout
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if said := diff(); said != "public: no changes\ntenant: no changes\n" {
				t.Errorf("it says %q", said)
			}
		})
	}
	both.Wait()
	dir, err := migrate.NewLocalDir(filepath.Join(root, "atlas", "tenant"))
	if err != nil {
		t.Fatal(err)
	}
	extra := migrate.NewLocalFile("20991231000000_extra.sql", []byte("CREATE TABLE extra (id int);\n"))
	if err := dir.WriteFile(extra.Name(), extra.Bytes()); err != nil {
		t.Fatal(err)
	}
	sum, err := dir.Checksum()
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.WriteSumFile(dir, sum); err != nil {
		t.Fatal(err)
	}
	if said := diff(); strings.Count(said, "wrote atlas/tenant/20991231000001_change.sql") != 1 || !strings.Contains(said, "public: no changes") {
		t.Errorf("it says %q", said)
	}
}
