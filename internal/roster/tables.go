package roster

import (
	"cmp"
	"context"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/academicyear"
	"github.com/homeroom-sms/homeroom/ent/tenant/class"
	"github.com/homeroom-sms/homeroom/ent/tenant/classteacher"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/ent/tenant/guardian"
	"github.com/homeroom-sms/homeroom/ent/tenant/staff"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/ent/tenant/studentguardian"
	"github.com/homeroom-sms/homeroom/ent/tenant/subject"
	"github.com/homeroom-sms/homeroom/ent/tenant/term"
)

func yearTable(db *tenantdb.Client) table[tenantdb.AcademicYear, *tenantdb.AcademicYearCreate] {
	return table[tenantdb.AcademicYear, *tenantdb.AcademicYearCreate]{
		name: academicyear.Table,
		load: db.AcademicYear.Query().All,
		id:   func(y *tenantdb.AcademicYear) *uuid.UUID { return &y.ID },
		keys: func(y *tenantdb.AcademicYear) (*string, string) { return y.SourceID, y.Name },
		fields: func(y *tenantdb.AcademicYear) []field {
			return []field{
				{academicyear.FieldSourceID, y.SourceID},
				{academicyear.FieldName, y.Name},
				{academicyear.FieldStartsOn, y.StartsOn},
				{academicyear.FieldEndsOn, y.EndsOn},
			}
		},
		// The export's terms are not all that the year may hold.
		keep:   func(old, y *tenantdb.AcademicYear) { widen(&y.StartsOn, &y.EndsOn, old.StartsOn, old.EndsOn) },
		create: db.AcademicYear.Create,
		save: func(ctx context.Context, rows []*tenantdb.AcademicYearCreate, o ...sql.ConflictOption) error {
			return db.AcademicYear.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func termTable(db *tenantdb.Client) table[tenantdb.Term, *tenantdb.TermCreate] {
	return table[tenantdb.Term, *tenantdb.TermCreate]{
		name: term.Table,
		load: db.Term.Query().All,
		id:   func(t *tenantdb.Term) *uuid.UUID { return &t.ID },
		keys: func(t *tenantdb.Term) (*string, string) { return t.SourceID, t.AcademicYearID.String() + t.Name },
		fields: func(t *tenantdb.Term) []field {
			return []field{
				{term.FieldSourceID, t.SourceID},
				{term.FieldAcademicYearID, t.AcademicYearID},
				{term.FieldName, t.Name},
				{term.FieldStartsOn, t.StartsOn},
				{term.FieldEndsOn, t.EndsOn},
			}
		},
		create: db.Term.Create,
		save: func(ctx context.Context, rows []*tenantdb.TermCreate, o ...sql.ConflictOption) error {
			return db.Term.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func subjectTable(db *tenantdb.Client) table[tenantdb.Subject, *tenantdb.SubjectCreate] {
	return table[tenantdb.Subject, *tenantdb.SubjectCreate]{
		name: subject.Table,
		load: db.Subject.Query().All,
		id:   func(s *tenantdb.Subject) *uuid.UUID { return &s.ID },
		keys: func(s *tenantdb.Subject) (*string, string) { return s.SourceID, deref(s.Code) + "/" + s.Name },
		fields: func(s *tenantdb.Subject) []field {
			return []field{{subject.FieldSourceID, s.SourceID}, {subject.FieldCode, s.Code}, {subject.FieldName, s.Name}}
		},
		create: db.Subject.Create,
		save: func(ctx context.Context, rows []*tenantdb.SubjectCreate, o ...sql.ConflictOption) error {
			return db.Subject.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func staffTable(db *tenantdb.Client) table[tenantdb.Staff, *tenantdb.StaffCreate] {
	return table[tenantdb.Staff, *tenantdb.StaffCreate]{
		name: staff.Table,
		load: db.Staff.Query().All,
		id:   func(s *tenantdb.Staff) *uuid.UUID { return &s.ID },
		keys: func(s *tenantdb.Staff) (*string, string) { return s.SourceID, s.StaffNumber },
		fields: func(s *tenantdb.Staff) []field {
			return []field{
				{staff.FieldSourceID, s.SourceID},
				{staff.FieldStaffNumber, s.StaffNumber},
				{staff.FieldFirstName, s.FirstName},
				{staff.FieldMiddleName, s.MiddleName},
				{staff.FieldLastName, s.LastName},
				{staff.FieldTitle, s.Title},
				{staff.FieldEmail, s.Email},
				{staff.FieldUsername, s.Username},
				{staff.FieldStateID, s.StateID},
			}
		},
		create: db.Staff.Create,
		save: func(ctx context.Context, rows []*tenantdb.StaffCreate, o ...sql.ConflictOption) error {
			return db.Staff.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func studentTable(db *tenantdb.Client) table[tenantdb.Student, *tenantdb.StudentCreate] {
	return table[tenantdb.Student, *tenantdb.StudentCreate]{
		name: student.Table,
		load: db.Student.Query().All,
		id:   func(s *tenantdb.Student) *uuid.UUID { return &s.ID },
		keys: func(s *tenantdb.Student) (*string, string) { return s.SourceID, s.AdmissionNumber },
		fields: func(s *tenantdb.Student) []field {
			return []field{
				{student.FieldSourceID, s.SourceID},
				{student.FieldAdmissionNumber, s.AdmissionNumber},
				{student.FieldFirstName, s.FirstName},
				{student.FieldMiddleName, s.MiddleName},
				{student.FieldLastName, s.LastName},
				{student.FieldDateOfBirth, s.DateOfBirth},
				{student.FieldGender, s.Gender},
				{student.FieldGradeLevel, s.GradeLevel},
				{student.FieldEmail, s.Email},
				{student.FieldUsername, s.Username},
				{student.FieldStateID, s.StateID},
				{student.FieldPostalCode, s.PostalCode},
				{student.FieldRace, s.Race},
				{student.FieldIsHispanic, s.IsHispanic},
				{student.FieldIsEnglishLearner, s.IsEnglishLearner},
			}
		},
		create: db.Student.Create,
		save: func(ctx context.Context, rows []*tenantdb.StudentCreate, o ...sql.ConflictOption) error {
			return db.Student.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func guardianTable(db *tenantdb.Client) table[tenantdb.Guardian, *tenantdb.GuardianCreate] {
	return table[tenantdb.Guardian, *tenantdb.GuardianCreate]{
		name: guardian.Table,
		load: db.Guardian.Query().All,
		id:   func(g *tenantdb.Guardian) *uuid.UUID { return &g.ID },
		keys: func(g *tenantdb.Guardian) (*string, string) {
			if address := cmp.Or(deref(g.Email), phoneDigits(deref(g.Phone))); address != "" {
				return g.SourceID, guardianID(g.FullName, address)
			}
			return g.SourceID, ""
		},
		fields: func(g *tenantdb.Guardian) []field {
			return []field{
				{guardian.FieldSourceID, g.SourceID},
				{guardian.FieldFullName, g.FullName},
				{guardian.FieldEmail, g.Email},
				{guardian.FieldPhone, g.Phone},
			}
		},
		create: db.Guardian.Create,
		save: func(ctx context.Context, rows []*tenantdb.GuardianCreate, o ...sql.ConflictOption) error {
			return db.Guardian.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func studentGuardianTable(db *tenantdb.Client, students []uuid.UUID) table[tenantdb.StudentGuardian, *tenantdb.StudentGuardianCreate] {
	return table[tenantdb.StudentGuardian, *tenantdb.StudentGuardianCreate]{
		name: studentguardian.Table,
		load: db.StudentGuardian.Query().Where(studentguardian.StudentIDIn(students...)).WithGuardian().All,
		id:   func(l *tenantdb.StudentGuardian) *uuid.UUID { return &l.ID },
		keys: func(l *tenantdb.StudentGuardian) (*string, string) {
			return nil, l.StudentID.String() + l.GuardianID.String()
		},
		fields: func(l *tenantdb.StudentGuardian) []field {
			return []field{
				{studentguardian.FieldStudentID, l.StudentID},
				{studentguardian.FieldGuardianID, l.GuardianID},
				{studentguardian.FieldRelationship, l.Relationship},
			}
		},
		create: func() *tenantdb.StudentGuardianCreate { return db.StudentGuardian.Create().SetIsPrimary(true) },
		save: func(ctx context.Context, rows []*tenantdb.StudentGuardianCreate, o ...sql.ConflictOption) error {
			return db.StudentGuardian.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
		stale: func(l *tenantdb.StudentGuardian) bool { return l.Edges.Guardian.SourceID != nil },
		remove: func(ctx context.Context, ids []uuid.UUID) error {
			_, err := db.StudentGuardian.Delete().Where(studentguardian.IDIn(ids...)).Exec(ctx)
			return err
		},
	}
}

func classTable(db *tenantdb.Client) table[tenantdb.Class, *tenantdb.ClassCreate] {
	return table[tenantdb.Class, *tenantdb.ClassCreate]{
		name: class.Table,
		load: db.Class.Query().All,
		id:   func(c *tenantdb.Class) *uuid.UUID { return &c.ID },
		keys: func(c *tenantdb.Class) (*string, string) { return c.SourceID, "" },
		fields: func(c *tenantdb.Class) []field {
			return []field{
				{class.FieldSourceID, c.SourceID},
				{class.FieldName, c.Name},
				{class.FieldSubjectID, c.SubjectID},
				{class.FieldTermID, c.TermID},
				{class.FieldGradeLevel, c.GradeLevel},
				{class.FieldPeriod, c.Period},
			}
		},
		create: db.Class.Create,
		save: func(ctx context.Context, rows []*tenantdb.ClassCreate, o ...sql.ConflictOption) error {
			return db.Class.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func classTeacherTable(db *tenantdb.Client, classes []uuid.UUID) table[tenantdb.ClassTeacher, *tenantdb.ClassTeacherCreate] {
	return table[tenantdb.ClassTeacher, *tenantdb.ClassTeacherCreate]{
		name: classteacher.Table,
		load: db.ClassTeacher.Query().Where(classteacher.ClassIDIn(classes...)).WithStaff().All,
		id:   func(t *tenantdb.ClassTeacher) *uuid.UUID { return &t.ID },
		keys: func(t *tenantdb.ClassTeacher) (*string, string) { return nil, t.ClassID.String() + t.StaffID.String() },
		fields: func(t *tenantdb.ClassTeacher) []field {
			return []field{
				{classteacher.FieldClassID, t.ClassID},
				{classteacher.FieldStaffID, t.StaffID},
				{classteacher.FieldPosition, t.Position},
			}
		},
		create: db.ClassTeacher.Create,
		save: func(ctx context.Context, rows []*tenantdb.ClassTeacherCreate, o ...sql.ConflictOption) error {
			return db.ClassTeacher.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
		stale: func(t *tenantdb.ClassTeacher) bool { return t.Edges.Staff.SourceID != nil },
		remove: func(ctx context.Context, ids []uuid.UUID) error {
			_, err := db.ClassTeacher.Delete().Where(classteacher.IDIn(ids...)).Exec(ctx)
			return err
		},
	}
}

func enrollmentTable(db *tenantdb.Client, classes []uuid.UUID) table[tenantdb.Enrollment, *tenantdb.EnrollmentCreate] {
	return table[tenantdb.Enrollment, *tenantdb.EnrollmentCreate]{
		name: enrollment.Table,
		load: db.Enrollment.Query().Where(enrollment.ClassIDIn(classes...)).All,
		id:   func(e *tenantdb.Enrollment) *uuid.UUID { return &e.ID },
		keys: func(e *tenantdb.Enrollment) (*string, string) { return nil, e.StudentID.String() + e.ClassID.String() },
		fields: func(e *tenantdb.Enrollment) []field {
			return []field{
				{enrollment.FieldSourceID, e.SourceID},
				{enrollment.FieldStudentID, e.StudentID},
				{enrollment.FieldClassID, e.ClassID},
			}
		},
		create: db.Enrollment.Create,
		save: func(ctx context.Context, rows []*tenantdb.EnrollmentCreate, o ...sql.ConflictOption) error {
			return db.Enrollment.CreateBulk(rows...).OnConflict(o...).Exec(ctx)
		},
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
