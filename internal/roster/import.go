package roster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
)

// ImportOptions say how to write a school's roster.
type ImportOptions struct {
	DryRun   bool           // only count what would change
	Progress func(done int) // told how many of the school's Records are done; may be nil
}

// Report counts what an import did to each table, in the order of writing.
type Report []Counts

// Changes returns how many rows were created, updated or removed.
func (r Report) Changes() (n int) {
	for _, c := range r {
		n += c.Created + c.Updated + c.Removed
	}
	return n
}

// Records returns how many teachers, students, sections and enrollments the school has.
func (s *School) Records() int {
	return len(s.Teachers) + len(s.Students) + len(s.Sections) + len(s.Enrollments)
}

// Import writes s, which no problem may block, into the school behind db. That is a transaction's
// client: Import leaves committing to the caller, and after an error its work is unfinished.
// Imports of one school wait for each other until then.
//
// Rows keep the id that the export knows them by as their source id. Where it has none, that is
// made of what makes the row unique: 2015-2016 for a year, 2015-2016/Y1 for a term, 101/Physics for
// a subject, student/section for an enrollment, and for a guardian a digest of the name and the
// e-mail address (without one the phone number), so that siblings share one guardian and a login
// never passes to another person. Import changes the columns that the export has and no others;
// rows that are not in the export stay as they are, except that a class's teachers and a student's
// contact are replaced by those of the export.
func Import(ctx context.Context, db *tenantdb.Client, s *School, o ImportOptions) (Report, error) {
	const lock = "SELECT pg_advisory_xact_lock(hashtextextended('homeroom roster ' || current_schema(), 0))"
	if _, err := db.ExecContext(ctx, lock); err != nil {
		return nil, fmt.Errorf("waiting for other imports: %w", err)
	}
	w := &writer{ImportOptions: o, db: db, school: s}
	for _, step := range []func(context.Context) error{
		w.calendar, w.subjects, w.staff, w.students, w.guardians, w.classes, w.teachers, w.enrollments,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.report, nil
}

// writer carries one import from table to table. The maps hold wanted rows by source id.
type writer struct {
	ImportOptions
	db     *tenantdb.Client
	school *School
	done   int
	report Report

	terms     map[string]*tenantdb.Term
	subjectOf map[string]*tenantdb.Subject
	staffOf   map[string]*tenantdb.Staff
	studentOf map[string]*tenantdb.Student
	classOf   map[string]*tenantdb.Class

	studentIDs, classIDs []uuid.UUID
}

// step counts rows that are done, where they are records of the export.
func (w *writer) step(table string, rows int) {
	switch table {
	case "staff", "students", "classes", "enrollments":
		w.done += rows
		if w.Progress != nil && rows > 0 {
			w.Progress(w.done)
		}
	}
}

func (w *writer) subjects(ctx context.Context) error {
	w.subjectOf = map[string]*tenantdb.Subject{}
	var subjects []*tenantdb.Subject
	for _, section := range w.school.Sections {
		id, name := section.subjectID(), cmp.Or(section.CourseName, section.CourseNumber)
		if name == "" || w.subjectOf[id] != nil {
			continue
		}
		w.subjectOf[id] = &tenantdb.Subject{SourceID: &id, Code: optional(section.CourseNumber), Name: name}
		subjects = append(subjects, w.subjectOf[id])
	}
	return sync(ctx, w, subjectTable(w.db), subjects)
}

// subjectID takes the name in: districts give one course number to several courses.
func (s *Section) subjectID() string {
	return s.CourseNumber + "/" + cmp.Or(s.CourseName, s.CourseNumber)
}

func (w *writer) staff(ctx context.Context) error {
	w.staffOf = map[string]*tenantdb.Staff{}
	var staff []*tenantdb.Staff
	for _, t := range w.school.Teachers {
		row := &tenantdb.Staff{
			SourceID: &t.SourceID, StaffNumber: t.Number, FirstName: t.FirstName, MiddleName: optional(t.MiddleName),
			LastName: t.LastName, Title: optional(t.Title), Email: optional(t.Email), Username: optional(t.Username),
			StateID: optional(t.StateID),
		}
		w.staffOf[t.SourceID] = row
		staff = append(staff, row)
	}
	return sync(ctx, w, staffTable(w.db), staff)
}

func (w *writer) students(ctx context.Context) error {
	w.studentOf = map[string]*tenantdb.Student{}
	var students []*tenantdb.Student
	for _, s := range w.school.Students {
		row := &tenantdb.Student{
			SourceID: &s.SourceID, AdmissionNumber: s.Number, FirstName: s.FirstName, MiddleName: optional(s.MiddleName),
			LastName: s.LastName, DateOfBirth: s.DateOfBirth, Gender: (*student.Gender)(optional(s.Gender)),
			GradeLevel: optional(s.Grade), Email: optional(s.Email), Username: optional(s.Username),
			StateID: optional(s.StateID), PostalCode: optional(s.PostalCode), Race: optional(s.Race),
			IsHispanic: s.IsHispanic, IsEnglishLearner: s.IsEnglishLearner,
		}
		w.studentOf[s.SourceID] = row
		students = append(students, row)
	}
	err := sync(ctx, w, studentTable(w.db), students)
	for _, row := range students {
		w.studentIDs = append(w.studentIDs, row.ID)
	}
	return err
}

// guardians writes the contacts, one row for all students who share one, and ties them to the students.
func (w *writer) guardians(ctx context.Context) error {
	guardianOf := map[string]*tenantdb.Guardian{} // by source id
	var guardians []*tenantdb.Guardian
	for _, s := range w.school.Students {
		if s.Contact == nil {
			continue
		}
		id := s.guardianID()
		row := guardianOf[id]
		if row == nil {
			row = &tenantdb.Guardian{SourceID: &id, FullName: s.Contact.Name, Email: optional(s.Contact.Email)}
			guardianOf[id] = row
			guardians = append(guardians, row)
		}
		if row.Phone == nil {
			row.Phone = optional(s.Contact.Phone)
		}
	}
	if err := sync(ctx, w, guardianTable(w.db), guardians); err != nil {
		return err
	}
	var links []*tenantdb.StudentGuardian
	for _, s := range w.school.Students {
		if s.Contact != nil {
			links = append(links, &tenantdb.StudentGuardian{
				StudentID: w.studentOf[s.SourceID].ID, GuardianID: guardianOf[s.guardianID()].ID,
				Relationship: cmp.Or(s.Contact.Relationship, "Contact"),
			})
		}
	}
	return sync(ctx, w, studentGuardianTable(w.db, w.studentIDs), links)
}

// guardianID knows a contact by name and address. Nobody is told apart by a name alone, so without
// an address the contact is the student's own.
func (s *Student) guardianID() string {
	return guardianID(s.Contact.Name, cmp.Or(s.Contact.Email, phoneDigits(s.Contact.Phone), s.SourceID))
}

func guardianID(name, address string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(name + "\n" + address)))
	return "contact-" + hex.EncodeToString(sum[:16])
}

func (w *writer) classes(ctx context.Context) error {
	w.classOf = map[string]*tenantdb.Class{}
	var classes []*tenantdb.Class
	for _, s := range w.school.Sections {
		row := &tenantdb.Class{
			SourceID: &s.SourceID, Name: s.Name, TermID: &w.terms[s.Term.sourceID()].ID,
			GradeLevel: optional(s.Grade), Period: optional(s.Period),
		}
		if subject := w.subjectOf[s.subjectID()]; subject != nil {
			row.SubjectID = &subject.ID
		}
		w.classOf[s.SourceID] = row
		classes = append(classes, row)
	}
	err := sync(ctx, w, classTable(w.db), classes)
	for _, row := range classes {
		w.classIDs = append(w.classIDs, row.ID)
	}
	return err
}

func (w *writer) teachers(ctx context.Context) error {
	var teachers []*tenantdb.ClassTeacher
	for _, s := range w.school.Sections {
		for i, id := range s.TeacherIDs {
			teachers = append(teachers, &tenantdb.ClassTeacher{
				ClassID: w.classOf[s.SourceID].ID, StaffID: w.staffOf[id].ID, Position: i + 1,
			})
		}
	}
	return sync(ctx, w, classTeacherTable(w.db, w.classIDs), teachers)
}

func (w *writer) enrollments(ctx context.Context) error {
	var enrollments []*tenantdb.Enrollment
	for _, e := range w.school.Enrollments {
		id := e.StudentID + "/" + e.SectionID
		enrollments = append(enrollments, &tenantdb.Enrollment{
			SourceID: &id, StudentID: w.studentOf[e.StudentID].ID, ClassID: w.classOf[e.SectionID].ID,
		})
	}
	return sync(ctx, w, enrollmentTable(w.db, w.classIDs), enrollments)
}

func phoneDigits(phone string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, phone)
}

// optional returns nil for an empty text: the column is NULL then.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
