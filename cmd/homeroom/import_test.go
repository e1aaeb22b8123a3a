package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// rows of each school of the district, by the resource of the tenant API.
var district = map[string]map[string]int{
	"02m800": {"students": 400, "staff": 45, "classes": 178, "enrollments": 4411},
	"13k123": {"students": 370, "staff": 29, "classes": 108, "enrollments": 2220},
	"27q321": {"students": 234, "staff": 24, "classes": 93, "enrollments": 2340},
}

func importInto(t *testing.T, url, dir string, flags ...string) result {
	t.Helper()
	return homeroom(t, url, append([]string{"school", "import", dir, "--create", "--base-domain", "test"}, flags...)...)
}

func TestImportDistrict(t *testing.T) {
	t.Parallel()
	dir, url := testkit.District(t), testkit.Database(t)
	const warning = `students.csv:525: warning: date of birth "02/29/2005"`
	importInto(t, url, dir, "--dry-run").expect(t, 0, warning, "would be created", "nothing was written", "0 errors", "1 warning")
	if n := ask[int](t, url, schoolsAndSchemas); n != 0 {
		t.Fatalf("a dry run left %d schools", n)
	}
	importInto(t, url, dir, "--strict").expect(t, 1, "02/29/2005")
	if n := ask[int](t, url, "SELECT count(*) FROM clients WHERE code = '13k123'"); n != 0 {
		t.Error("with --strict a school with a warning was imported")
	}
	importInto(t, url, dir).expect(t, 0, warning)
	before := ask[string](t, url, fingerprint)
	importInto(t, url, dir).expect(t, 0, "\n0 changes; 0 errors", "1 warning")
	importInto(t, url, dir, "--dry-run").expect(t, 0, "\n0 changes")
	if after := ask[string](t, url, fingerprint); after != before {
		t.Error("importing again wrote something")
	}

	cmd := program(t, t.TempDir(), "serve")
	cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url, "HOMEROOM_SIGNING_KEY="+signingKey)
	s := start(t, cmd)
	for code, resources := range district {
		token := strings.TrimSpace(homeroom(t, url, "school", "impersonate", code, "--reason", "test", "--signing-key", signingKey).expect(t, 0).stdout)
		for resource, want := range resources {
			if got := s.count(t, code+".test", token, "/api/v1/"+resource+"/"); got != want {
				t.Errorf("%s has %d %s, not %d", code, got, resource, want)
			}
		}
		for other := range district {
			if status, _ := s.get(t, other+".test", token, "/api/v1/students/"); (status == http.StatusOK) != (other == code) {
				t.Errorf("a token of %s at %s: %d", code, other, status)
			}
		}
	}
}

const (
	signingKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

	// schoolsAndSchemas counts what an import that wrote nothing must not have left.
	schoolsAndSchemas = `SELECT (SELECT count(*) FROM clients) + (SELECT count(*) FROM domains) + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'school%')`

	// fingerprint changes with any row version of the three schools.
	fingerprint = `SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM (
		SELECT 's' || id || xmin FROM school_02m800.students UNION ALL SELECT 'e' || id || xmin FROM school_02m800.enrollments UNION ALL
		SELECT 't' || id || xmin FROM school_02m800.staff UNION ALL SELECT 'c' || id || xmin FROM school_27q321.classes UNION ALL
		SELECT 'g' || id || xmin FROM school_27q321.guardians UNION ALL SELECT 'k' || id || xmin FROM school_13k123.class_teachers UNION ALL
		SELECT 'l' || id || xmin FROM school_13k123.student_guardians UNION ALL SELECT 'p' || id || xmin FROM clients) AS rows (x)`
)

// brokenCopy copies the sample with one file changed.
func brokenCopy(t *testing.T, from, file string, change func(string) string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	changed := change(string(text))
	if changed == string(text) {
		t.Fatalf("%s is as it was", file)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportBrokenCopies(t *testing.T) {
	t.Parallel()
	sample := testkit.District(t)
	add := func(line string) func(string) string {
		return func(text string) string { return strings.TrimRight(text, "\r\n") + "\n" + line + "\n" }
	}
	for name, c := range map[string]struct {
		file   string
		change func(string) string
		says   []string
		left   []string // codes of the schools that are imported all the same
	}{
		"unknown section": {"enrollments.csv", add("13K123,100095233,999999"), []string{"enrollments.csv:8973: ", "999999"}, []string{"02m800", "27q321"}},
		"duplicate id":    {"sections.csv", func(text string) string { return text + strings.SplitAfter(text, "\r")[1] }, []string{"sections.csv:381: ", "581"}, []string{"13k123", "27q321"}},
		"missing column":  {"teachers.csv", func(text string) string { return strings.Replace(text, "Last_name", "Surname", 1) }, []string{"teachers.csv:1: ", "Last_name"}, nil},
		"unknown school":  {"students.csv", func(text string) string { return strings.Replace(text, "\r27Q321,", "\r99X999,", 1) }, []string{"students.csv:", "99X999"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testkit.Database(t)
			importInto(t, url, brokenCopy(t, sample, c.file, c.change)).expect(t, 1, c.says...)
			if got := ask[[]string](t, url, "SELECT coalesce(array_agg(code ORDER BY code), '{}') FROM clients"); strings.Join(got, " ") != strings.Join(c.left, " ") {
				t.Errorf("imported: %v", got)
			}
			if n := ask[int](t, url, schoolsAndSchemas); n != 3*len(c.left) {
				t.Errorf("%d rows and schemas for %d schools", n, len(c.left))
			}
		})
	}
}

// A change of the export changes just what it changed; what can't be read is left out on demand.
func TestImportChanges(t *testing.T) {
	t.Parallel()
	url, sample := testkit.Database(t), testkit.District(t)
	importInto(t, url, sample).expect(t, 0)
	moved := brokenCopy(t, sample, "students.csv", func(text string) string { return strings.Replace(text, "diane.s@example.org", "diane@example.org", 1) })
	importInto(t, url, moved).expect(t, 0, "\n1 change;")
	broken := brokenCopy(t, moved, "enrollments.csv", func(text string) string { return text + "13K123,100095233,999999\n" })
	importInto(t, url, broken, "--skip-invalid").expect(t, 0, "999999", "\n0 changes", "1 row left out")
}

// Killed at any moment, an import leaves each school whole or not at all, and the next run finishes.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	dir, url := testkit.District(t), testkit.Database(t)
	for range 12 {
		cmd := program(t, t.TempDir(), "school", "import", dir, "--create", "--base-domain", "test")
		cmd.Env = append(cmd.Env, "HOMEROOM_DATABASE_URL="+url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed := time.AfterFunc(time.Duration(100+rand.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		killed.Stop()
		for code, want := range district {
			if !ask[bool](t, url, fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'school_%s')", code)) {
				if ask[bool](t, url, fmt.Sprintf("SELECT EXISTS (SELECT FROM clients WHERE code = '%s')", code)) {
					t.Fatalf("%s has a row and no schema", code)
				}
				continue
			}
			for table, rows := range want {
				if got := ask[int](t, url, fmt.Sprintf("SELECT count(*) FROM school_%s.%s", code, table)); got != rows {
					t.Fatalf("%s was left with %d %s, not %d", code, got, table, rows)
				}
			}
			// Away with it, so that the next run has something to be killed at.
			homeroom(t, url, "school", "purge", code, "--confirm", code).expect(t, 0)
		}
	}
	importInto(t, url, dir).expect(t, 0, "0 errors")
}
