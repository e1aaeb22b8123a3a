package entpgx_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"entgo.io/ent"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/attendancerecord"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
)

func TestEveryField(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		born, seen := time.Date(2012, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
		row := add(db, "1").SetMiddleName("Zoë").SetDateOfBirth(born).SetGender(student.GenderFemale).SetIsHispanic(false).SetCreatedAt(seen).SaveX(ctx)
		got := db.Student.GetX(ctx, row.ID)
		if got.AdmissionNumber != "1" || *got.MiddleName != "Zoë" || !got.DateOfBirth.Equal(born) || *got.Gender != student.GenderFemale || got.Status != student.StatusActive ||
			got.GradeLevel != nil || *got.IsHispanic || got.IsEnglishLearner != nil || !got.CreatedAt.Equal(seen) || got.CreatedAt.Location() != time.UTC {
			t.Errorf("read %v", got)
		}
		changed := db.Student.UpdateOneID(row.ID).ClearMiddleName().ClearDateOfBirth().ClearGender().SetIsEnglishLearner(true).SaveX(ctx)
		if changed.MiddleName != nil || changed.DateOfBirth != nil || changed.Gender != nil || !*changed.IsEnglishLearner {
			t.Errorf("changed to %v", changed)
		}
		exam := db.Assessment.Create()
		if err := exam.Exec(ctx); err == nil {
			t.Error("an assessment of nothing was created")
		}
		if n := db.Student.Update().Where(student.StatusEQ(student.StatusActive)).SetStatus(student.StatusGraduated).SaveX(ctx); n != 1 {
			t.Errorf("%d changed", n)
		}
		if n := db.Student.Delete().Where(student.IDIn(row.ID, uuid.New())).ExecX(ctx); n != 1 {
			t.Errorf("%d deleted", n)
		}
	})
}

func TestEagerBulkUpsert(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		var many []*tenantdb.StudentCreate
		for i := range 300 { // beyond what is prepared by name
			many = append(many, add(db, fmt.Sprintf("B-%03d", i)).SetGradeLevel(fmt.Sprint(i%3)))
		}
		made := db.Student.CreateBulk(many...).SaveX(ctx)
		day := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
		for i := range 3 {
			db.AttendanceRecord.Create().SetStudent(made[i]).SetDate(day).SetStatus(attendancerecord.StatusPresent).ExecX(ctx)
		}
		found := db.Student.Query().WithAttendanceRecords(func(q *tenantdb.AttendanceRecordQuery) { q.WithStudent() }).Order(student.ByAdmissionNumber()).Limit(5).AllX(ctx)
		for i, s := range found {
			records := s.Edges.AttendanceRecords
			if len(found) != 5 || (i < 3) != (len(records) == 1) || i < 3 && (records[0].Edges.Student.ID != s.ID || !records[0].Date.Equal(day)) {
				t.Errorf("%s has %v", s.AdmissionNumber, records)
			}
		}
		if n := db.Student.Query().Where(student.HasAttendanceRecordsWith(attendancerecord.Date(day))).CountX(ctx); n != 3 {
			t.Errorf("%d students were there", n)
		}
		upsert := func(first string) {
			db.Student.CreateBulk(add(db, "B-000").SetFirstName(first), add(db, "new").SetFirstName(first)).
				OnConflictColumns(student.FieldAdmissionNumber).Update(func(u *tenantdb.StudentUpsert) { u.UpdateFirstName() }).ExecX(ctx)
		}
		upsert("Once")
		upsert("Twice")
		if n := db.Student.Query().Where(student.FirstName("Twice")).CountX(ctx); n != 2 {
			t.Errorf("%d upserted", n)
		}
		if err := add(db, "new").OnConflictColumns(student.FieldAdmissionNumber).DoNothing().Exec(ctx); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("doing nothing: %v", err)
		}
	})
}

func TestAggregates(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		db.Student.CreateBulk(add(db, "1").SetGradeLevel("1"), add(db, "2").SetGradeLevel("1"), add(db, "3")).ExecX(ctx)
		type group struct {
			GradeLevel *string   `json:"grade_level"`
			Count      int       `json:"count"`
			Max        string    `json:"max"`
			Latest     time.Time `json:"latest"`
		}
		var groups []group
		db.Student.Query().GroupBy(student.FieldGradeLevel).Aggregate(tenantdb.Count(), tenantdb.Max(student.FieldAdmissionNumber), tenantdb.As(tenantdb.Max(student.FieldUpdatedAt), "latest")).ScanX(ctx, &groups)
		slices.SortFunc(groups, func(a, b group) int { return b.Count - a.Count })
		if len(groups) != 2 || *groups[0].GradeLevel != "1" || groups[0].Count != 2 || groups[0].Max != "2" || groups[1].GradeLevel != nil || groups[1].Latest.IsZero() {
			t.Errorf("groups: %+v", groups)
		}
		numbers := db.Student.Query().Order(student.ByAdmissionNumber(entsql.OrderDesc())).Select(student.FieldAdmissionNumber).StringsX(ctx)
		if !slices.Equal(numbers, []string{"3", "2", "1"}) || !db.Student.Query().Where(student.AdmissionNumber("1")).ExistX(ctx) {
			t.Errorf("numbers: %v", numbers)
		}
		counted := db.Student.Query().Order(student.ByEnrollmentsCount(entsql.OrderDesc(), entsql.OrderSelectAs("enrolled"))).FirstX(ctx)
		if n, err := counted.Value("enrolled"); err != nil || n != int64(0) && n != nil {
			t.Errorf("a selected value: %T %v %v", n, n, err)
		}
		if must(t, db.Student.Query().Where(student.FirstName("nobody")).GroupBy(student.FieldGradeLevel).Aggregate(tenantdb.Count()).Scan(ctx, &groups)); len(groups) != 2 {
			t.Errorf("groups of nobody: %+v", groups[2:])
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		first := add(db, "1").SaveX(ctx)
		if err := add(db, "1").Exec(ctx); !tenantdb.IsConstraintError(err) {
			t.Errorf("a duplicate: %v", err)
		}
		if err := db.Student.CreateBulk(add(db, "2"), add(db, "2")).Exec(ctx); !tenantdb.IsConstraintError(err) {
			t.Errorf("two duplicates: %v", err)
		}
		if err := db.AttendanceRecord.Create().SetStudentID(uuid.New()).SetDate(time.Now()).SetStatus("late").Exec(ctx); !tenantdb.IsConstraintError(err) {
			t.Errorf("of nobody: %v", err)
		}
		if _, err := db.Student.Get(ctx, uuid.New()); !tenantdb.IsNotFound(err) {
			t.Errorf("nobody: %v", err)
		}
		add(db, "3").ExecX(ctx)
		if _, err := db.Student.Query().Only(ctx); !tenantdb.IsNotSingular(err) {
			t.Errorf("one of two: %v", err)
		}
		db.AttendanceRecord.Create().SetStudent(first).SetDate(time.Now()).SetStatus("late").ExecX(ctx)
		// PostgreSQL 18 says it in words that ent doesn't know.
		if err := db.Student.DeleteOne(first).Exec(ctx); !tenantdb.IsConstraintError(err) && sqlState(err) != "23001" {
			t.Errorf("one with records: %v", err)
		}
		if err := db.Student.DeleteOneID(uuid.New()).Exec(ctx); !tenantdb.IsNotFound(err) {
			t.Errorf("deleting nobody: %v", err)
		}
		for _, text := range []string{"\x00", "\xff"} {
			if err := add(db, "4").SetFirstName(text).Exec(ctx); err == nil {
				t.Errorf("%q was stored", text)
			}
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		if _, err := db.Student.Query().All(stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestRawSQL(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		result, err := db.ExecContext(ctx, "INSERT INTO students (id, created_at, updated_at, admission_number, first_name, last_name, status) SELECT gen_random_uuid(), now(), now(), n, 'A', 'B', 'active' FROM generate_series($1::int, 40) n", 1)
		must(t, err)
		if n, err := result.RowsAffected(); n != 40 || err != nil {
			t.Errorf("%d inserted (%v)", n, err)
		}
		_, err = db.ExecContext(ctx, "UPDATE students SET first_name = 'C' WHERE admission_number = '7'; CREATE TABLE extra (n int); INSERT INTO extra VALUES (1), (2)")
		must(t, err)
		rows, err := db.QueryContext(ctx, "SELECT admission_number::int, first_name, NULL::text, created_at FROM students ORDER BY 1 LIMIT $1", 10)
		must(t, err)
		defer rows.Close()
		columns, err := rows.Columns()
		if must(t, err); !slices.Equal(columns, []string{"admission_number", "first_name", "text", "created_at"}) {
			t.Errorf("columns: %v", columns)
		}
		seen := 0
		for rows.Next() {
			var n int
			var first string
			var none sql.NullString
			var at time.Time
			must(t, rows.Scan(&n, &first, &none, &at))
			if seen++; n != seen || (first == "C") != (n == 7) || none.Valid || at.IsZero() {
				t.Errorf("row %d: %d %s %v %v", seen, n, first, none, at)
			}
		}
		if must(t, rows.Err()); seen != 10 {
			t.Errorf("%d rows", seen)
		}
		for _, query := range []string{"SELECT 1/0", "SELECT 1/(30-admission_number::int) FROM students ORDER BY admission_number::int", "SELECT FROM nowhere", "no SQL", ""} {
			if err := readAll(ctx, db, query); err == nil && query != "" {
				t.Errorf("%s went through", query)
			}
			if _, err := db.ExecContext(ctx, query); (err == nil) != (query == "") {
				t.Errorf("executing %q: %v", query, err)
			}
		}
	})
}

// TestInterceptors holds that what stands between ent and the database sees and changes queries.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	each(t, func(t on) {
		ctx, db := t.Context(), client(t.drv)
		db.Student.CreateBulk(add(db, "1"), add(db, "2")).ExecX(ctx)
		calls := 0
		db.Intercept(ent.TraverseFunc(func(_ context.Context, q ent.Query) error {
			if q, ok := q.(*tenantdb.StudentQuery); ok {
				calls++
				q.Where(student.AdmissionNumberNEQ("1"))
			}
			return nil
		}))
		if got := db.Student.Query().OnlyX(ctx); got.AdmissionNumber != "2" || calls != 1 {
			t.Errorf("%v after %d calls", got, calls)
		}
	})
}

func readAll(ctx context.Context, db *tenantdb.Client, query string) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if _, err := rows.Columns(); err != nil {
			return err
		}
	}
	return rows.Err()
}
