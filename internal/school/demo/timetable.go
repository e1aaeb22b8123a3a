package demo

import (
	"fmt"
	"strconv"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

const (
	formSize = 24 // at most
	workload = 5  // lessons a subject teacher has, at most
	support  = "Learning Support Teacher"
)

// form is the pupils of a grade who have all their classes together.
type form struct {
	grade  int
	name   string
	pupils []*pupil
}

// teacher is a member of staff with classes.
type teacher struct {
	title, room string
	busy        map[int]bool // by period
	row         *tenantdb.Staff
}

// lesson is a form's subject, at the same period and with the same teachers all year; class is the row
// of one term.
type lesson struct {
	form     form
	subject  subject
	period   int
	teachers []*teacher
	term     term
	class    *tenantdb.Class
}

// forms divides each grade evenly.
func (s *seeder) forms(pupils []*pupil) []form {
	grades := map[int][]*pupil{}
	for _, p := range pupils {
		grades[p.grade] = append(grades[p.grade], p)
	}
	var forms []form
	for grade := s.FirstGrade; grade <= s.LastGrade; grade++ {
		count := (len(grades[grade]) + formSize - 1) / formSize
		ofGrade := make([]form, count)
		for i, p := range grades[grade] {
			ofGrade[i%count].pupils = append(ofGrade[i%count].pupils, p)
		}
		for i := range ofGrade {
			ofGrade[i].grade, ofGrade[i].name = grade, gradeName(grade)+string(rune('A'+i))
		}
		forms = append(forms, ofGrade...)
	}
	return forms
}

// faculty is the teachers, in the order in which the timetable needed them.
type faculty []*teacher

// hire adds a teacher.
func (f *faculty) hire(title, room string) *teacher {
	t := &teacher{title: title, room: room, busy: map[int]bool{}}
	*f = append(*f, t)
	return t
}

// free returns a teacher who has time in a period; a new one if nobody has.
func (f *faculty) free(title, room string, period int) *teacher {
	colleagues := 0
	for _, t := range *f {
		if t.title != title {
			continue
		}
		if !t.busy[period] && len(t.busy) < workload {
			t.busy[period] = true
			return t
		}
		colleagues++
	}
	t := f.hire(title, fmt.Sprint(room, colleagues+1))
	t.busy[period] = true
	return t
}

// timetable gives each form its subjects, one a period, and hires the teachers that this takes.
func timetable(forms []form) (lessons []lesson, teachers faculty) {
	for i, f := range forms {
		var own *teacher
		taught := subjectsOf(f.grade, f.grade)
		for j, subject := range taught {
			l := lesson{form: f, subject: subject, period: (i+j)%len(taught) + 1}
			if subject.title != "" {
				l.teachers = append(l.teachers, teachers.free(subject.title, subject.room, l.period))
			} else {
				if own == nil {
					own = teachers.hire(formTitle(f.grade), "Room "+f.name)
				}
				l.teachers = append(l.teachers, own)
			}
			if subject.supported && f.name == gradeName(f.grade)+"A" {
				l.teachers = append(l.teachers, teachers.free(support, "Support Room ", l.period))
			}
			lessons = append(lessons, l)
		}
	}
	return lessons, teachers
}

func formTitle(grade int) string {
	if grade == 0 {
		return "Kindergarten Teacher"
	}
	return "Grade " + strconv.Itoa(grade) + " Teacher"
}

// subjectsOf returns what any of the grades learns.
func subjectsOf(first, last int) []subject {
	var found []subject
	for _, s := range subjects {
		if s.first <= last && first <= s.last {
			found = append(found, s)
		}
	}
	return found
}
