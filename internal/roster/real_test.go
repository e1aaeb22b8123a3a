package roster

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func realDistrict(tb testing.TB) fs.FS {
	tb.Helper()
	return os.DirFS(testkit.District(tb))
}

var today = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestReadDistrict_real(t *testing.T) {
	t.Parallel()
	start := time.Now()
	d, problems := ReadDistrict(realDistrict(t), ReadOptions{Today: today})
	t.Logf("read in %v", time.Since(start))

	const warning = `students.csv:525: warning: date of birth "02/29/2005" is no date; the student comes in without it`
	if got := lines(problems); len(got) != 1 || got[0] != warning {
		t.Errorf("problems: %q", got)
	}
	want := map[string][4]int{"02m800": {400, 45, 178, 4411}, "13k123": {370, 29, 108, 2220}, "27q321": {234, 24, 93, 2340}}
	if len(d.Schools) != len(want) {
		t.Errorf("%d schools", len(d.Schools))
	}
	for _, s := range d.Schools {
		got := [4]int{len(s.Students), len(s.Teachers), len(s.Sections), len(s.Enrollments)}
		if got != want[s.Code] || problems.Block(s.SourceID) {
			t.Errorf("%s: %v, want %v", s.Code, got, want[s.Code])
		}
	}
	first := d.Schools[0].Students[0]
	if first.DateOfBirth.Format(time.DateOnly) != "1998-11-01" || first.Contact.Phone != "(336)533-1632 x218" {
		t.Errorf("first student: %+v", first)
	}
	if term := d.Schools[0].Sections[0].Term; term.Starts.Format(time.DateOnly) != "2015-08-01" {
		t.Errorf("term: %v", term)
	}
}

func lines(ps Problems) (all []string) {
	for _, p := range ps {
		all = append(all, p.String())
	}
	return all
}

// edited returns a copy of fsys with one file changed.
func edited(t *testing.T, fsys fs.FS, file string, edit func(string) string) fs.FS {
	t.Helper()
	changed := fstest.MapFS{}
	for _, name := range files {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == file {
			text = []byte(edit(string(text)))
		}
		changed[name] = &fstest.MapFile{Data: text}
	}
	return changed
}

func TestReadDistrict_broken(t *testing.T) {
	t.Parallel()
	district := realDistrict(t)
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	for _, tt := range []struct {
		name, file string
		edit       func(string) string
		want       string // the first error; rows that refer to what is lost follow it
		errors     int
		blocked    string
	}{
		{
			"unknown section", "enrollments.csv", replace("13K123,100095233,709", "13K123,100095233,7x9"),
			`enrollments.csv:2: section "7x9" is not in sections.csv for school "13K123"`, 1, "13K123",
		},
		{
			"section of another school", "enrollments.csv", replace("13K123,100095233,709", "13K123,100095233,581"),
			`enrollments.csv:2: section "581" is not in sections.csv for school "13K123"`, 1, "13K123",
		},
		{
			"duplicate student", "students.csv", replace("02M800,913113920,913113920", "02M800,738733110,913113920"),
			`students.csv:3: student "738733110" is already on line 2`, 11, "02M800",
		},
		{
			"duplicate section", "sections.csv", replace("02M800,582,", "02M800,581,"),
			`sections.csv:3: section "581" is already on line 2`, 17, "02M800",
		},
		{
			"duplicate enrollment", "enrollments.csv", func(s string) string { return s + "02M800,999447617,958\n" },
			`enrollments.csv:8973: the student's enrollment in section "958" is already on line 8972`, 1, "02M800",
		},
		{
			"missing column", "students.csv", replace("Last_name", "Surname"),
			`students.csv:1: missing column Last_name`, 1, "02M800 13K123 27Q321",
		},
		{
			"unknown school", "enrollments.csv", replace("13K123,100095233,709", "99X999,100095233,709"),
			`enrollments.csv:2: school "99X999" is not in schools.csv`, 1, "02M800 13K123 27Q321",
		},
		{
			"unknown teacher", "sections.csv", replace("02M800,581,86,", "02M800,581,8600,"),
			`sections.csv:2: teacher "8600" is not in teachers.csv`, 1, "02M800",
		},
		{
			"term", "sections.csv", replace("8/1/15,6/1/16", "8/1/15,6/1/15"),
			`sections.csv:2: the term ends on 2015-06-01, which is not after its start on 2015-08-01`, 1, "02M800",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, problems := ReadDistrict(edited(t, district, tt.file, tt.edit), ReadOptions{Today: today})
			var blocked []string
			for _, s := range d.Schools {
				if problems.Block(s.SourceID) {
					blocked = append(blocked, s.SourceID)
				}
			}
			problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity != Error })
			if len(problems) != tt.errors || problems[0].String() != tt.want {
				t.Errorf("got %q, want %q", lines(problems), tt.want)
			}
			if strings.Join(blocked, " ") != tt.blocked {
				t.Errorf("blocked: %v, want %v", blocked, tt.blocked)
			}
		})
	}
}

func BenchmarkReadDistrict(b *testing.B) {
	fsys := realDistrict(b)
	for b.Loop() {
		ReadDistrict(fsys, ReadOptions{Today: today})
	}
}
