package demo

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/postgres"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// tables are a school's rows by natural keys: what must not differ from one run to the next.
var tables = map[string]string{
	"academic_years": `SELECT name, starts_on, ends_on FROM academic_years`,
	"terms":          `SELECT y.name, t.name, t.starts_on, t.ends_on FROM terms t JOIN academic_years y ON y.id = t.academic_year_id`,
	"subjects":       `SELECT code, name, description FROM subjects`,
	"staff":          `SELECT staff_number, first_name, last_name, title, status, email, phone FROM staff`,
	"students": `SELECT admission_number, first_name, last_name, date_of_birth, gender, grade_level, status, email, phone
		FROM students`,
	"guardians": `SELECT full_name, email, phone, address FROM guardians`,
	"student_guardians": `SELECT s.admission_number, g.full_name, g.phone, t.relationship, t.is_primary
		FROM student_guardians t JOIN students s ON s.id = t.student_id JOIN guardians g ON g.id = t.guardian_id`,
	"classes": `SELECT c.name, s.code, t.name, c.grade_level, c.period, c.room, c.capacity
		FROM classes c JOIN subjects s ON s.id = c.subject_id JOIN terms t ON t.id = c.term_id`,
	"class_teachers": `SELECT c.name, t.name, s.staff_number, ct.position FROM class_teachers ct
		JOIN staff s ON s.id = ct.staff_id JOIN classes c ON c.id = ct.class_id JOIN terms t ON t.id = c.term_id`,
	"enrollments": `SELECT s.admission_number, c.name, t.name, e.status, e.enrolled_on, e.ended_on FROM enrollments e
		JOIN students s ON s.id = e.student_id JOIN classes c ON c.id = e.class_id JOIN terms t ON t.id = c.term_id`,
	"attendance_records": `SELECT s.admission_number, a.class_id, a.date, a.status, a.note
		FROM attendance_records a JOIN students s ON s.id = a.student_id`,
	"assessments": `SELECT c.name, t.name, a.name, a.kind, a.max_score, a.weight, a.held_on
		FROM assessments a JOIN classes c ON c.id = a.class_id JOIN terms t ON t.id = c.term_id`,
	"results": `SELECT s.admission_number, c.name, t.name, a.name, r.score, r.grade, r.comment FROM results r
		JOIN students s ON s.id = r.student_id JOIN assessments a ON a.id = r.assessment_id
		JOIN classes c ON c.id = a.class_id JOIN terms t ON t.id = c.term_id`,
	"whatsapp_student_mappings": `SELECT w.phone, w.admission_number, w.student_name, s.admission_number
		FROM whatsapp_student_mappings w JOIN students s ON s.id = w.student_id`,
}

// wrong counts rows that a believable school does not have; $1 is the day of the first look.
var wrong = map[string]string{
	"active student without guardian": `SELECT count(*) FROM students s WHERE status = 'active'
		AND NOT EXISTS (SELECT FROM student_guardians g WHERE g.student_id = s.id AND g.is_primary)`,
	"active student without seven classes in the last term": `SELECT count(*) FROM students s WHERE status = 'active'
		AND 7 <> (SELECT count(*) FROM enrollments e JOIN classes c ON c.id = e.class_id WHERE e.student_id = s.id
			AND e.status <> 'withdrawn' AND c.grade_level = s.grade_level
			AND c.term_id = (SELECT id FROM terms WHERE starts_on <= $1 ORDER BY starts_on DESC LIMIT 1))`,
	"active student without results": `SELECT count(*) FROM students s WHERE status = 'active'
		AND 14 > (SELECT count(*) FROM results r WHERE r.student_id = s.id)`,
	"active student without a month's attendance": `SELECT count(*) FROM students s WHERE status = 'active'
		AND 20 > (SELECT count(*) FROM attendance_records a WHERE a.student_id = s.id)`,
	"student in two classes at once": `SELECT count(*) FROM (SELECT FROM enrollments e JOIN classes c ON c.id = e.class_id
		GROUP BY e.student_id, c.term_id, c.period HAVING count(*) > 1) x`,
	"teacher in two classes at once": `SELECT count(*) FROM (SELECT FROM class_teachers t JOIN classes c ON c.id = t.class_id
		GROUP BY t.staff_id, c.term_id, c.period HAVING count(*) > 1) x`,
	"class without leading teacher": `SELECT count(*) FROM classes c
		WHERE NOT EXISTS (SELECT FROM class_teachers t WHERE t.class_id = c.id AND t.position = 1)`,
	"class above capacity": `SELECT count(*) FROM classes c
		WHERE capacity < (SELECT count(*) FROM enrollments e WHERE e.class_id = c.id)`,
	"score above the full one": `SELECT count(*) FROM results r JOIN assessments a ON a.id = r.assessment_id WHERE r.score > a.max_score`,
	"grade without score":      `SELECT count(*) FROM results WHERE (score IS NULL) <> (grade IS NULL)`,
	"assessment on the wrong day": `SELECT count(*) FROM assessments a JOIN classes c ON c.id = a.class_id JOIN terms t ON t.id = c.term_id
		WHERE held_on NOT BETWEEN starts_on AND ends_on OR held_on > $1 OR extract(isodow FROM held_on) > 5`,
	"attendance on the wrong day": `SELECT count(*) FROM attendance_records a
		WHERE date > $1 OR extract(isodow FROM date) > 5 OR class_id IS NOT NULL
		OR NOT EXISTS (SELECT FROM terms WHERE date BETWEEN starts_on AND ends_on)`,
	"term outside of its year": `SELECT count(*) FROM terms t JOIN academic_years y ON y.id = t.academic_year_id
		WHERE t.starts_on < y.starts_on OR t.ends_on > y.ends_on OR $1 NOT BETWEEN y.starts_on AND y.ends_on`,
	"age that does not fit the grade": `SELECT count(*) FROM students, academic_years
		WHERE extract(year FROM age(starts_on, date_of_birth)) <> 5 + replace(grade_level, 'K', '0')::int`,
	"siblings born within months": `SELECT count(*) FROM student_guardians a JOIN student_guardians b USING (guardian_id)
		JOIN students x ON x.id = a.student_id JOIN students y ON y.id = b.student_id
		WHERE x.date_of_birth < y.date_of_birth AND y.date_of_birth - x.date_of_birth < 290`,
	"phone that may ring somewhere": `SELECT count(*) FROM (SELECT phone FROM guardians UNION ALL SELECT phone FROM staff
		UNION ALL SELECT phone FROM whatsapp_student_mappings) x WHERE phone !~ '^\+1[2-9][0-9]{2}55501[0-9]{2}$'`,
	"address that is not an example's": `SELECT count(*) FROM (SELECT email FROM guardians UNION ALL SELECT email FROM staff
		UNION ALL SELECT email FROM students) x WHERE email !~ '^[a-z]+\.[a-z]+[0-9]*@([a-z]+\.)*example\.(org|net)$'`,
	"namesake in a family": `SELECT count(*) FROM student_guardians t JOIN guardians g ON g.id = t.guardian_id
		JOIN students s ON s.id = t.student_id WHERE split_part(g.full_name, ' ', 1) = s.first_name`,
	"mapping to another student": `SELECT count(*) FROM whatsapp_student_mappings w JOIN students s ON s.id = w.student_id
		WHERE w.admission_number <> s.admission_number OR w.student_name <> s.first_name || ' ' || s.last_name`,
}

var bounds = map[string][2]int{
	"academic_years": {1, 1}, "terms": {3, 4}, "subjects": {7, 25}, "staff": {25, 45}, "guardians": {220, 500},
	"student_guardians": {300, 550}, "classes": {80, 200}, "class_teachers": {80, 230}, "enrollments": {1600, 4200},
	"attendance_records": {10_000, 25_000}, "assessments": {160, 600}, "results": {3000, 15_000}, "whatsapp_student_mappings": {50, 200},
}

// days are in a term, in one that is young, in the holidays, and a weekend.
var days = []time.Time{date(2027, time.March, 12), date(2026, time.October, 14), date(2027, time.July, 20), date(2026, time.August, 1)}

func TestSeed(t *testing.T) {
	t.Parallel()
	for i, today := range days {
		school := Schools()[i%2]
		t.Run(fmt.Sprintf("%s on %s", school.Code, today.Format(time.DateOnly)), func(t *testing.T) {
			t.Parallel()
			db := seeded(t, school, today)
			for table, query := range tables {
				least, most := bounds[table][0], bounds[table][1]
				if table == "students" {
					least, most = school.Students, school.Students
				}
				if n := number(t, db, "SELECT count(*) FROM ("+query+") x"); n < least || n > most {
					t.Errorf("%s: %d rows, want %d to %d", table, n, least, most)
				}
			}
			for what, query := range wrong {
				if n := number(t, db, strings.ReplaceAll(query, "$1", "DATE '"+today.Format(time.DateOnly)+"'")); n > 0 {
					t.Errorf("%s: %d", what, n)
				}
			}
		})
	}
}

// The figures of a school that is alive: most come, some worry; marks are spread around a good one.
func TestSeedIsBelievable(t *testing.T) {
	t.Parallel()
	db := seeded(t, Schools()[0], days[0])
	for _, c := range []struct {
		what, query string
		least, most int
	}{
		{"present, percent", `SELECT round(100 * avg((status = 'present')::int))::int FROM attendance_records`, 88, 95},
		{"absent, per mille", `SELECT round(1000 * avg((status = 'absent')::int))::int FROM attendance_records`, 20, 50},
		{"students who miss a tenth", `SELECT count(*) FROM (SELECT FROM attendance_records GROUP BY student_id HAVING avg((status = 'absent')::int) > 0.1) x`, 8, 40},
		{"median mark, percent", `SELECT round(100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY score / max_score))::int
			FROM results r JOIN assessments a ON a.id = r.assessment_id`, 72, 84},
		{"marks A, percent", `SELECT round(100 * avg((grade = 'A')::int))::int FROM results`, 8, 25},
		{"marks F, percent", `SELECT round(100 * avg((grade = 'F')::int))::int FROM results`, 2, 12},
		{"unmarked", `SELECT count(*) FROM results WHERE score IS NULL`, 50, 1000},
		{"left", `SELECT count(*) FROM students WHERE status IN ('transferred', 'withdrawn')`, 3, 20},
		{"guardians of several", `SELECT count(*) FROM (SELECT FROM student_guardians GROUP BY guardian_id HAVING count(*) > 1) x`, 30, 200},
	} {
		if n := number(t, db, c.query); n < c.least || n > c.most {
			t.Errorf("%s: %d, want %d to %d", c.what, n, c.least, c.most)
		}
	}
}

func TestSeedIsRepeatable(t *testing.T) {
	t.Parallel()
	for _, school := range Schools() {
		t.Run(school.Code, func(t *testing.T) {
			t.Parallel()
			first := dump(t, seeded(t, school, days[0]))
			evening := time.Date(2027, time.March, 12, 23, 30, 0, 0, time.FixedZone("", -8*3600))
			second := dump(t, seeded(t, school, evening))
			if !maps.Equal(first, second) {
				t.Errorf("the same school twice:\n%v\n%v", first, second)
			}
		})
	}
}

func TestSchoolsShareNoPhone(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, s := range Schools() {
		for _, area := range s.AreaCodes {
			if other, taken := seen[area]; taken {
				t.Errorf("area code %s is of both %s and %s", area, other, s.Code)
			}
			seen[area] = s.Code
		}
	}
}

// seeded fills a school, and returns a connection that sees its tables.
func seeded(t *testing.T, school School, today time.Time) *pgx.Conn {
	t.Helper()
	url := testkit.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), testkit.Tenant(t).CreateScript("demo")+"; SET search_path TO demo"); err != nil {
		t.Fatal(err)
	}
	registry := tenancy.New(testkit.Pools(t, url), tenancy.Options{Roles: true})
	t.Cleanup(func() { _ = registry.Close() })
	start := time.Now()
	err = tenancy.InTx(t.Context(), registry.Schema(postgres.Primary, "demo"), func(db *tenantdb.Client) error {
		return Seed(t.Context(), db, school, today)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("filled in %v", time.Since(start).Round(time.Millisecond))
	return conn
}

func dump(t *testing.T, db *pgx.Conn) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for table, query := range tables {
		sums[table] = value[string](t, db, `SELECT count(*) || ' ' || md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM (`+query+`) r`)
	}
	return sums
}

func number(t *testing.T, db *pgx.Conn, query string) int {
	t.Helper()
	return value[int](t, db, query)
}

func value[T any](t *testing.T, db *pgx.Conn, query string) (v T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	return v
}
