package roster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/class"
	"github.com/homeroom-sms/homeroom/ent/tenant/classteacher"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// importInto imports the export's school of that code in one transaction.
func importInto(t *testing.T, db *tenantdb.Client, fsys fs.FS, code string, o ImportOptions) Report {
	t.Helper()
	report, err := tryImport(t.Context(), t, db, fsys, code, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func tryImport(ctx context.Context, t *testing.T, db *tenantdb.Client, fsys fs.FS, code string, o ImportOptions) (Report, error) {
	t.Helper()
	d, problems := ReadDistrict(fsys, ReadOptions{Today: today})
	if problems.Count(Error) > 0 {
		t.Fatal(problems)
	}
	for _, s := range d.Schools {
		if s.Code != code {
			continue
		}
		tx, err := db.Tx(ctx)
		if err != nil {
			return nil, err
		}
		report, err := Import(ctx, tx.Client(), s, o)
		if err != nil {
			_ = tx.Rollback()
			return nil, err
		}
		return report, tx.Commit()
	}
	t.Fatalf("no school %s", code)
	return nil, nil
}

// contents returns all rows of the imported tables with the transactions that wrote them, so that
// a write which changes nothing is seen too.
func contents(t *testing.T, db *tenantdb.Client) string {
	t.Helper()
	var all strings.Builder
	for _, table := range []string{
		"academic_years", "terms", "subjects", "staff", "students", "guardians", "student_guardians", "classes", "class_teachers", "enrollments",
	} {
		// The client runs no query of one's own; counting makes it one row, whatever the table.
		rows := "coalesce((SELECT string_agg(xmin::text || r::text, E'\\n' ORDER BY id) FROM " + table + " r), '') || left(count(*)::text, 0)"
		text, err := db.User.Query().Aggregate(func(*sql.Selector) string { return rows }).String(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(text)
	}
	return all.String()
}

func (r Report) String() string {
	var all []string
	for _, c := range r {
		if c.Created+c.Updated+c.Removed > 0 {
			all = append(all, fmt.Sprintf("%s +%d ~%d -%d", c.Table, c.Created, c.Updated, c.Removed))
		}
	}
	return strings.Join(all, ", ")
}

func TestImport_real(t *testing.T) {
	t.Parallel()
	fsys := realDistrict(t)
	for code, want := range map[string][6]int{
		"02m800": {400, 45, 178, 4411, 400, 400}, "13k123": {370, 29, 108, 2220, 370, 370}, "27q321": {234, 24, 93, 2340, 234, 234},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			db := testkit.School(t)
			if report := importInto(t, db, fsys, code, ImportOptions{DryRun: true}); report.Changes() < 3000 || contents(t, db) != "" {
				t.Errorf("dry run: %v", report)
			}
			start, progress := time.Now(), []int{}
			report := importInto(t, db, fsys, code, ImportOptions{Progress: func(done int) { progress = append(progress, done) }})
			t.Logf("imported in %v: %v; %v", time.Since(start), report, progress)
			ctx := t.Context()
			got := [6]int{
				db.Student.Query().CountX(ctx), db.Staff.Query().CountX(ctx), db.Class.Query().CountX(ctx), db.Enrollment.Query().CountX(ctx),
				db.StudentGuardian.Query().CountX(ctx), db.Guardian.Query().CountX(ctx),
			}
			want[5] = got[5] // siblings share some
			if got != want || got[5] > got[4] {
				t.Errorf("got %v, want %v", got, want)
			}
			if done := got[0] + got[1] + got[2] + got[3]; progress[len(progress)-1] != done {
				t.Errorf("progress %v, want up to %d", progress, done)
			}
			before := contents(t, db)
			start = time.Now()
			if again := importInto(t, db, fsys, code, ImportOptions{}); again.Changes() != 0 {
				t.Errorf("again: %v", again)
			}
			t.Logf("again in %v", time.Since(start))
			if contents(t, db) != before {
				t.Error("importing again has written")
			}
		})
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.School(t), t.Context()
	report := importInto(t, db, smallFS(unedited), "a1", ImportOptions{})
	const first = "academic_years +1 ~0 -0, terms +1 ~0 -0, subjects +1 ~0 -0, staff +2 ~0 -0, students +2 ~0 -0, guardians +1 ~0 -0, " +
		"student_guardians +1 ~0 -0, classes +1 ~0 -0, class_teachers +2 ~0 -0, enrollments +2 ~0 -0"
	if report.String() != first {
		t.Errorf("%v", report)
	}
	s := db.Student.Query().Where(student.SourceID("s1")).WithGuardians().OnlyX(ctx)
	if s.FirstName != `Ann"ie"` || *s.Gender != student.GenderFemale || *s.GradeLevel != "K" || s.DateOfBirth.Format(time.DateOnly) != "1998-11-01" ||
		!*s.IsHispanic || *s.IsEnglishLearner || s.Status != student.StatusActive || s.Edges.Guardians[0].Relationship != "Father" || !s.Edges.Guardians[0].IsPrimary {
		t.Errorf("%+v", s)
	}
	term := db.Term.Query().WithAcademicYear().OnlyX(ctx)
	if *term.SourceID != "2015-2016/Y1" || term.Edges.AcademicYear.Name != "2015-2016" || term.EndsOn.Format(time.DateOnly) != "2016-06-01" {
		t.Errorf("%+v", term)
	}
	if lead := db.ClassTeacher.Query().Where(classteacher.Position(1)).QueryStaff().OnlyX(ctx); lead.LastName != "Núñez, Jr." {
		t.Errorf("%+v", lead)
	}
	if subject := db.Class.Query().Where(class.SourceID("c1")).QuerySubject().OnlyX(ctx); *subject.Code != "101" || subject.Name != "Art" {
		t.Errorf("%+v", subject)
	}
}

// TestImport_changes imports the small district, then an edited one, over and over.
func TestImport_changes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, from string // old and new, by |
		want       string
	}{
		{"nothing", "", ""},
		{"name", "Müller|Meier", "students +0 ~1 -0"},
		{"contact's name", "Max  Müller|Max Meier", "guardians +1 ~0 -0, student_guardians +1 ~0 -1"},
		{"birthday", "11/1/98|11/2/98", "students +0 ~1 -0"},
		{"value gone", ",F,11/1/98|,,", "students +0 ~1 -0"},
		{"value comes", ",X,4/2/07,12,,|,X,4/2/07,12,,Y", "students +0 ~1 -0"},
		{"contact's phone", "(336)533-1632 x218|(336)533-1632", "guardians +0 ~1 -0"},
		{"contact's address", "max@example|moritz@example", "guardians +1 ~0 -0, student_guardians +1 ~0 -1"},
		{"contact gone", "Max  Müller,Father,(336)533-1632 x218,max@example.org|,,,", "student_guardians +0 ~0 -1"},
		{"relationship", "Father|Uncle", "student_guardians +0 ~1 -0"},
		{"sibling", ",,,,,,,,,,\nB2,s1,,9|,,,,,,Max Müller,Uncle,,max@example.org,\nB2,s1,,9", "student_guardians +1 ~0 -0"},
		{"number", "A1,s2,7|A1,s2,8", "students +0 ~1 -0"},
		{"number of another", "A1,s2,7|A1,s2,8|B2,s1,,9|A1,s3,7,9|B2,s1,c2|A1,s3,c1", "students +1 ~1 -0, enrollments +1 ~0 -0"},
		{"other id", "A1,s2,7|A1,sx,7|A1,s2,c1|A1,sx,c1", "students +0 ~1 -0, enrollments +0 ~1 -0"},
		{"teachers in another order", "c1,t1,t2,t1,,|c1,t2,t1,,,", "class_teachers +0 ~2 -0"},
		{"teacher replaced", "c1,t1,t2,t1,,|c1,t3,t1,,,", "staff +1 ~0 -0, class_teachers +1 ~1 -1"},
		{"no teachers", "c1,t1,t2,t1,,|c1,,,,,", "class_teachers +0 ~0 -2"},
		{"student gone", "A1,s2,7|B2,s2,7|A1,s2,c1|B2,s2,c2", ""},
		{"term longer", "8/1/15,6/1/16|8/1/15,6/30/16", "academic_years +0 ~1 -0, terms +0 ~1 -0"},
		{"term shorter", "8/1/15,6/1/16|8/2/15,5/1/16", "terms +0 ~1 -0"},
		{"next year", "8/1/15,6/1/16|8/1/16,6/1/17", "academic_years +1 ~0 -0, terms +1 ~0 -0, classes +0 ~1 -0"},
		{"course", "Art,101|Arts,101", "subjects +1 ~0 -0, classes +0 ~1 -0"},
		{"no course", "Art,101|,", "classes +0 ~1 -0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := testkit.School(t)
			importInto(t, db, smallFS(unedited), "a1", ImportOptions{})
			before := contents(t, db)
			edits := strings.Split(tt.from, "|")
			edited := smallFS(func(_, text string) string {
				for i := 0; i+1 < len(edits); i += 2 {
					text = strings.Replace(text, edits[i], edits[i+1], 1)
				}
				return text
			})
			if dry := importInto(t, db, edited, "a1", ImportOptions{DryRun: true}); dry.String() != tt.want {
				t.Errorf("dry run:\n got %v\nwant %v", dry, tt.want)
			}
			if contents(t, db) != before {
				t.Error("the dry run has written")
			}
			if report := importInto(t, db, edited, "a1", ImportOptions{}); report.String() != tt.want {
				t.Errorf("\n got %v\nwant %v", report, tt.want)
			}
			if again := importInto(t, db, edited, "a1", ImportOptions{}); again.Changes() != 0 {
				t.Errorf("again: %v", again)
			}
		})
	}
}

// What the school typed in by hand before its first import is taken up, and what the export knows
// nothing of is kept.
func TestImport_byHand(t *testing.T) {
	t.Parallel()
	db, ctx := testkit.School(t), t.Context()
	day := func(m time.Month, d, y int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	year := db.AcademicYear.Create().SetName("2015-2016").SetStartsOn(day(7, 1, 2015)).SetEndsOn(day(6, 30, 2016)).SaveX(ctx)
	db.Term.Create().SetName("Y1").SetAcademicYear(year).SetStartsOn(day(7, 1, 2015)).SetEndsOn(day(6, 30, 2016)).ExecX(ctx)
	db.Subject.Create().SetCode("101").SetName("Art").ExecX(ctx)
	db.Staff.Create().SetStaffNumber("11").SetFirstName("J").SetLastName("N").SetPhone("555-1212").ExecX(ctx)
	pupil := db.Student.Create().SetAdmissionNumber("7").SetFirstName("E").SetLastName("D").SetStatus(student.StatusSuspended).SetPhone("555-1213").SaveX(ctx)
	db.Guardian.Create().SetFullName("max müller").SetEmail("Max@example.org").SetAddress("1 Elm Street").ExecX(ctx)

	report := importInto(t, db, smallFS(unedited), "a1", ImportOptions{})
	const want = "academic_years +0 ~1 -0, terms +0 ~1 -0, subjects +0 ~1 -0, staff +1 ~1 -0, students +1 ~1 -0, guardians +0 ~1 -0, " +
		"student_guardians +1 ~0 -0, classes +1 ~0 -0, class_teachers +2 ~0 -0, enrollments +2 ~0 -0"
	if report.String() != want {
		t.Errorf("\n got %v\nwant %v", report, want)
	}
	now := db.Student.GetX(ctx, pupil.ID)
	if *now.SourceID != "s2" || now.FirstName != "Émile" || now.Status != student.StatusSuspended || *now.Phone != "555-1213" ||
		!now.CreatedAt.Equal(pupil.CreatedAt) || !now.UpdatedAt.After(pupil.UpdatedAt) {
		t.Errorf("%+v", now)
	}
	if year = db.AcademicYear.GetX(ctx, year.ID); year.StartsOn.Month() != time.July {
		t.Errorf("%+v", year)
	}
	if again := importInto(t, db, smallFS(unedited), "a1", ImportOptions{}); again.Changes() != 0 {
		t.Errorf("again: %v", again)
	}
}

// An import that is stopped half way leaves nothing.
func TestImport_stopped(t *testing.T) {
	t.Parallel()
	db := testkit.School(t)
	ctx, stop := context.WithCancel(t.Context())
	_, err := tryImport(ctx, t, db, smallFS(unedited), "a1", ImportOptions{Progress: func(done int) {
		if done == 4 { // staff and students are written
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || contents(t, db) != "" {
		t.Errorf("%v", err)
	}
}

// Two imports at once don't meet: the second finds what the first has written.
func TestImport_atOnce(t *testing.T) {
	t.Parallel()
	db := testkit.School(t)
	changes := make(chan int)
	for range 2 {
		go func() {
			report, err := tryImport(t.Context(), t, db, smallFS(unedited), "a1", ImportOptions{})
			if err != nil {
				t.Error(err)
			}
			changes <- report.Changes()
		}()
	}
	if a, b := <-changes, <-changes; min(a, b) != 0 || max(a, b) != 14 {
		t.Errorf("changes: %d and %d", a, b)
	}
}
