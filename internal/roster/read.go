package roster

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// ReadOptions say how to take what is wrong with an export.
type ReadOptions struct {
	Strict      bool      // warnings are errors
	SkipInvalid bool      // rows with errors, and those that refer to them, are left out
	Today       time.Time // no birth is later; now by default
}

// The files of an export, in the order in which their problems are given, and the columns they need.
var (
	files = []string{"schools.csv", "teachers.csv", "students.csv", "sections.csv", "enrollments.csv"}

	schoolColumns  = []string{"School_id", "School_name"}
	teacherColumns = []string{
		"School_id", "Teacher_id", "Teacher_number", "State_teacher_id", "Last_name", "Middle_name", "First_name",
		"Teacher_email", "Title", "Username",
	}
	studentColumns = []string{
		"School_id", "Student_id", "Student_number", "State_id", "Last_name", "Middle_name", "First_name", "Gender",
		"Dob", "Grade", "Race", "Hispanic_Latino", "Ell_status", "Student_zip", "Student_email", "Contact_name",
		"Contact_type", "Contact_phone", "Contact_email", "Username",
	}
	sectionColumns = []string{
		"School_id", "Section_id", "Teacher_id", "Teacher_2_id", "Teacher_3_id", "Teacher_4_id", "Name", "Grade",
		"Course_name", "Course_number", "Period", "Term_name", "Term_start", "Term_end",
	}
	enrollmentColumns = []string{"School_id", "Student_id", "Section_id"}
)

// reader reads one export. Its registers are nil where their file could not be read, which leaves
// references into it unchecked.
type reader struct {
	ReadOptions
	fsys        fs.FS
	problems    Problems
	schools     register // by code
	teachers    register // by id: teachers are known to all schools
	students    register // by school and id
	sections    register // by id
	enrollments register
	numbers     register // of students, by school

	schoolOf  map[string]*School  // by code
	teacherOf map[string]*Teacher // by id
	staff     map[string]string   // who has a staff number, by school and number
}

// register holds the ids of a file.
type register map[string]mark

type mark struct {
	line   int
	school *School
	ok     bool // the row came in
}

// ReadDistrict reads the export in fsys and returns what can be used of it with all its problems,
// by file and line. Only schools that the problems don't block may be written.
//
// Ids must be unique: those of teachers and sections in their file, those of students in their
// school, an enrollment's pair in its school; so must the numbers of a school's staff and students.
func ReadDistrict(fsys fs.FS, o ReadOptions) (*District, Problems) {
	if o.Today.IsZero() {
		o.Today = time.Now()
	}
	in := &reader{
		ReadOptions: o, fsys: fsys, enrollments: register{}, numbers: register{},
		schoolOf: map[string]*School{}, teacherOf: map[string]*Teacher{}, staff: map[string]string{},
	}
	d := &District{Schools: in.readSchools()}
	in.readTeachers()
	in.readStudents()
	in.readSections()
	in.readEnrollments()
	slices.SortStableFunc(in.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)), cmp.Compare(a.Line, b.Line))
	})
	return d, in.problems
}

func (in *reader) add(p Problem) { in.problems = append(in.problems, p) }

// attribute finds the school of a row, so that all its problems are known as that school's.
func (in *reader) attribute(r *row) {
	id := r.value("School_id")
	code := strings.ToLower(id)
	if in.schools == nil && in.schoolOf[code] == nil {
		in.schoolOf[code] = &School{SourceID: id, Code: code} // taken at its word, as schools.csv can't be read
	}
	r.school = in.schoolOf[code]
}

// inSchool reports whether the row names a school that it can go to.
func (in *reader) inSchool(r *row) bool {
	if r.school != nil {
		in.refer(r, in.schools, r.school.Code, "school", r.school.SourceID)
		return true
	}
	if id := r.need("School_id", maxID); id != "" {
		r.fail("school %q is not in schools.csv", id)
	}
	return false
}

// identify registers the row's id, which must not have been seen. The prefix says where ids count.
func (in *reader) identify(r *row, ids register, prefix, noun, id string) {
	if first, ok := ids[prefix+id]; ok && id != "" {
		r.fail("%s %q is already on line %d", noun, id, first.line)
		return
	}
	ids[prefix+id] = mark{line: r.line, school: r.school}
}

// accept says that a row came in.
func (in *reader) accept(ids register, key string) {
	m := ids[key]
	m.ok = true
	ids[key] = m
}

// refer checks a reference; only teachers may be another school's. One to a row that has failed is
// no error of its own where that failure blocks the same school anyway.
func (in *reader) refer(r *row, ids register, key, noun, id string) {
	m, ok := ids[key]
	switch {
	case ids == nil:
	case !ok || noun != "teacher" && m.school != r.school:
		where := ""
		if noun != "teacher" {
			where = fmt.Sprintf(" for school %q", r.school.SourceID)
		}
		r.fail("%s %q is not in %ss.csv%s", noun, id, noun, where)
	case m.ok:
	case in.SkipInvalid || m.school != nil && m.school != r.school:
		r.fail("%s %q can't come in because of %ss.csv:%d", noun, id, noun, m.line)
	default:
		r.failed = true
	}
}
