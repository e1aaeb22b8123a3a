package demo

import (
	"context"
	"fmt"
	"strconv"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/ent/tenant/staff"
)

// writeLessons writes the subjects, the staff, and the classes of the given terms with all who are in
// them. It returns a lesson for each class.
func (s *seeder) writeLessons(ctx context.Context, pupils []*pupil, terms []term) ([]lesson, error) {
	ids, err := s.writeSubjects(ctx)
	if err != nil {
		return nil, err
	}
	yearly, teachers := timetable(s.forms(pupils))
	if err := s.writeStaff(ctx, teachers); err != nil {
		return nil, err
	}
	var lessons []lesson
	var rows []*tenantdb.ClassCreate
	for _, term := range terms {
		for _, l := range yearly {
			l.term = term
			lessons = append(lessons, l)
			rows = append(rows, s.db.Class.Create().
				SetName(l.subject.name+" ("+l.form.name+")").SetSubject(ids[l.subject.code]).SetTerm(term.row).
				SetGradeLevel(gradeName(l.form.grade)).SetPeriod(strconv.Itoa(l.period)).
				SetRoom(l.teachers[0].room).SetCapacity(formSize+2))
		}
	}
	classes, err := save(ctx, s.db.Class.CreateBulk, rows)
	if err != nil {
		return nil, err
	}
	for i := range lessons {
		lessons[i].class = classes[i]
	}
	return lessons, s.writeMembers(ctx, lessons)
}

func (s *seeder) writeSubjects(ctx context.Context) (map[string]*tenantdb.Subject, error) {
	var rows []*tenantdb.SubjectCreate
	for _, subject := range subjectsOf(s.FirstGrade, s.LastGrade) {
		rows = append(rows, s.db.Subject.Create().SetCode(subject.code).SetName(subject.name))
	}
	saved, err := save(ctx, s.db.Subject.CreateBulk, rows)
	byCode := map[string]*tenantdb.Subject{}
	for _, subject := range saved {
		byCode[*subject.Code] = subject
	}
	return byCode, err
}

func (s *seeder) writeStaff(ctx context.Context, teachers faculty) error {
	var rows []*tenantdb.StaffCreate
	add := func(title string, status staff.Status) {
		culture := pick(s.Rand, cultures)
		first, last := s.firstName(&family{}, culture, s.IntN(3) > 0), word(s.Rand, culture.last)
		rows = append(rows, s.db.Staff.Create().
			SetStaffNumber(fmt.Sprintf("%s-S%03d", s.Prefix, len(rows)+1)).SetFirstName(first).SetLastName(last).
			SetTitle(title).SetStatus(status).SetNillablePhone(s.phone()).
			SetEmail(s.email(first, last, s.Code+".example.org")))
	}
	for _, o := range office {
		add(o.title, o.status)
	}
	for _, t := range teachers {
		add(t.title, staff.StatusActive)
	}
	saved, err := save(ctx, s.db.Staff.CreateBulk, rows)
	if err != nil {
		return err
	}
	for i, t := range teachers {
		t.row = saved[len(office)+i]
	}
	return nil
}

// writeMembers writes who teaches each class and who is in it. Those who left the school left it, too.
func (s *seeder) writeMembers(ctx context.Context, lessons []lesson) error {
	var teachers []*tenantdb.ClassTeacherCreate
	var enrollments []*tenantdb.EnrollmentCreate
	for _, l := range lessons {
		for i, t := range l.teachers {
			teachers = append(teachers, s.db.ClassTeacher.Create().SetClass(l.class).SetStaff(t.row).SetPosition(i+1))
		}
		for _, p := range l.form.pupils {
			if !p.here(l.term.from) {
				continue
			}
			row := s.db.Enrollment.Create().SetStudent(p.row).SetClass(l.class).SetEnrolledOn(l.term.from)
			switch {
			case !p.here(l.term.to):
				row.SetStatus(enrollment.StatusWithdrawn).SetEndedOn(p.leaves)
			case l.term.to.Before(s.today):
				row.SetStatus(enrollment.StatusCompleted).SetEndedOn(l.term.to)
			}
			enrollments = append(enrollments, row)
		}
	}
	if _, err := save(ctx, s.db.ClassTeacher.CreateBulk, teachers); err != nil {
		return err
	}
	_, err := save(ctx, s.db.Enrollment.CreateBulk, enrollments)
	return err
}
