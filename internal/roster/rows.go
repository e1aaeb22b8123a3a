package roster

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
)

var validCode = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (in *reader) readSchools() (schools []*School) {
	t := in.open("schools.csv", "school", schoolColumns)
	if t == nil {
		return nil
	}
	in.schools = register{}
	for r := range t.each() {
		id := r.value("School_id")
		s := &School{SourceID: id, Code: strings.ToLower(id)}
		if r.school == nil && id != "" {
			r.school, in.schoolOf[s.Code] = s, s
		}
		if r.need("School_id", maxCode); id != "" {
			in.identify(r, in.schools, "", "school", s.Code)
			if len(id) < 2 || !validCode.MatchString(s.Code) {
				r.fail("school id %q makes no code: it must be 2 to %d letters, digits and single hyphens", id, maxCode)
			}
		}
		r.readSchool(s)
		if r.failed {
			continue
		}
		in.accept(in.schools, s.Code)
		schools = append(schools, s)
	}
	if len(in.schools) == 0 {
		in.add(Problem{File: t.file, Line: 1, Reason: "the file lists no school"})
	}
	return schools
}

func (r *row) readSchool(s *School) {
	s.Name = r.need("School_name", maxTitle)
	s.StateID = r.text("State_id", maxID)
	s.NCESID = r.text("Nces_id", maxID)
	s.Address = r.text("School_address", maxTitle)
	s.City = r.text("School_city", maxName)
	s.State = r.text("School_state", maxName)
	s.PostalCode = r.text("School_zip", maxShort)
	s.Phone = r.parsed("School_phone", "phone number", parsePhone)
	s.LowGrade = r.parsed("Low_grade", "grade", parseGrade)
	s.HighGrade = r.parsed("High_grade", "grade", parseGrade)
	s.Principal = r.text("Principal", maxTitle)
	s.PrincipalEmail = r.parsed("Principal_email", "e-mail address", parseEmail)
}

func (in *reader) readTeachers() {
	t := in.open("teachers.csv", "teacher", teacherColumns)
	if t == nil {
		return
	}
	in.teachers = register{}
	for r := range t.each() {
		known := in.inSchool(r)
		id := r.need("Teacher_id", maxID)
		in.identify(r, in.teachers, "", "teacher", id)
		teacher := &Teacher{
			SourceID:   id,
			Number:     cmp.Or(r.text("Teacher_number", maxID), id),
			StateID:    r.text("State_teacher_id", maxID),
			LastName:   r.need("Last_name", maxName),
			MiddleName: r.text("Middle_name", maxName),
			FirstName:  r.need("First_name", maxName),
			Email:      r.parsed("Teacher_email", "e-mail address", parseEmail),
			Title:      r.text("Title", maxName),
			Username:   r.text("Username", maxName),
		}
		if !known || r.failed {
			continue
		}
		teacher.HomeSchool = r.school.SourceID
		if in.employ(r, teacher); !r.failed {
			in.accept(in.teachers, id)
			in.teacherOf[id] = teacher
		}
	}
}

// employ puts a teacher on the staff of the row's school, once. Nobody else there may have the number.
func (in *reader) employ(r *row, t *Teacher) {
	key := r.school.Code + "/" + t.Number
	switch holder, taken := in.staff[key]; {
	case !taken:
		in.staff[key] = t.SourceID
		r.school.Teachers = append(r.school.Teachers, t)
	case holder != t.SourceID:
		r.fail("teacher %q has the number of teacher %q, who is on the same staff", t.SourceID, holder)
	}
}

func (in *reader) readStudents() {
	t := in.open("students.csv", "student", studentColumns)
	if t == nil {
		return
	}
	in.students = register{}
	for r := range t.each() {
		known := in.inSchool(r)
		id := r.need("Student_id", maxID)
		if known {
			in.identify(r, in.students, r.school.Code+"/", "student", id)
		}
		student := r.readStudent(id)
		if r.failed {
			continue
		}
		in.identify(r, in.numbers, r.school.Code+"/", "student number", student.Number)
		if !r.failed {
			in.accept(in.students, r.school.Code+"/"+id)
			r.school.Students = append(r.school.Students, student)
		}
	}
}

func (r *row) readStudent(id string) *Student {
	s := &Student{
		SourceID:         id,
		Number:           cmp.Or(r.text("Student_number", maxID), id),
		StateID:          r.text("State_id", maxID),
		LastName:         r.need("Last_name", maxName),
		MiddleName:       r.text("Middle_name", maxName),
		FirstName:        r.need("First_name", maxName),
		Gender:           r.parsed("Gender", "gender that is known here", parseGender),
		Grade:            r.parsed("Grade", "grade", parseGrade),
		Race:             r.text("Race", maxCode),
		IsHispanic:       r.flag("Hispanic_Latino"),
		IsEnglishLearner: r.flag("Ell_status"),
		PostalCode:       r.text("Student_zip", maxShort),
		Email:            r.parsed("Student_email", "e-mail address", parseEmail),
		Username:         r.text("Username", maxName),
		Contact:          r.readContact(),
	}
	if r.value("Dob") != "" {
		if born, wrong := r.date("Dob", r.in.Today); wrong != "" {
			r.warn("%s", wrong)
		} else {
			s.DateOfBirth = &born
		}
	}
	return s
}

func (r *row) readContact() *Contact {
	c := Contact{
		Name:         r.text("Contact_name", maxTitle),
		Relationship: r.text("Contact_type", maxID),
		Phone:        r.parsed("Contact_phone", "phone number", parsePhone),
		Email:        r.parsed("Contact_email", "e-mail address", parseEmail),
	}
	if c.Name != "" {
		return &c
	}
	if c.Phone != "" || c.Email != "" {
		r.warn("the contact has no name")
	}
	return nil
}

func (in *reader) readSections() {
	t := in.open("sections.csv", "section", sectionColumns)
	if t == nil {
		return
	}
	in.sections = register{}
	for r := range t.each() {
		known := in.inSchool(r)
		id := r.need("Section_id", maxID)
		in.identify(r, in.sections, "", "section", id)
		section := r.readSection(id)
		if !known {
			continue
		}
		for _, teacher := range section.TeacherIDs {
			in.refer(r, in.teachers, teacher, "teacher", teacher)
		}
		for _, teacher := range section.TeacherIDs {
			if t := in.teacherOf[teacher]; t != nil && !r.failed {
				in.employ(r, t)
			}
		}
		if r.failed {
			continue
		}
		in.accept(in.sections, id)
		r.school.Sections = append(r.school.Sections, section)
	}
}

func (r *row) readSection(id string) *Section {
	s := &Section{
		SourceID:     id,
		Name:         r.need("Name", maxTitle),
		Grade:        r.parsed("Grade", "grade", parseGrade),
		CourseName:   r.text("Course_name", maxTitle),
		CourseNumber: r.text("Course_number", maxCode),
		Period:       r.text("Period", maxShort),
		Term:         r.readTerm(),
	}
	for _, column := range []string{"Teacher_id", "Teacher_2_id", "Teacher_3_id", "Teacher_4_id"} {
		if teacher := r.value(column); teacher != "" && !slices.Contains(s.TeacherIDs, teacher) {
			s.TeacherIDs = append(s.TeacherIDs, teacher)
		}
	}
	return s
}

// termHorizon is how many years ahead a term may lie.
const termHorizon = 20

func (r *row) readTerm() Term {
	t := Term{Name: r.need("Term_name", maxTerm)}
	latest := r.in.Today.AddDate(termHorizon, 0, 0)
	t.Starts = r.needDate("Term_start", latest)
	t.Ends = r.needDate("Term_end", latest)
	if !t.Starts.IsZero() && !t.Ends.IsZero() && !t.Starts.Before(t.Ends) {
		r.fail("the term ends on %s, which is not after its start on %s", t.Ends.Format(time.DateOnly), t.Starts.Format(time.DateOnly))
	}
	return t
}

func (in *reader) readEnrollments() {
	t := in.open("enrollments.csv", "enrollment", enrollmentColumns)
	if t == nil {
		return
	}
	for r := range t.each() {
		known := in.inSchool(r)
		student, section := r.need("Student_id", maxID), r.need("Section_id", maxID)
		if !known || student == "" || section == "" {
			continue
		}
		in.refer(r, in.students, r.school.Code+"/"+student, "student", student)
		in.refer(r, in.sections, section, "section", section)
		in.identify(r, in.enrollments, r.school.Code+"/"+student+"/", "the student's enrollment in section", section)
		if !r.failed {
			r.school.Enrollments = append(r.school.Enrollments, Enrollment{student, section})
		}
	}
}
