package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
)

// family is the children of one home, and who answers for them.
type family struct {
	pupils    []*pupil
	guardians []guardian
	address   string
	names     []string // first ones, of which a home has each once
}

type guardian struct {
	name, relationship string
	phone, email       *string
}

// pupil is a student with what decides how they fare; row is set once it is written.
type pupil struct {
	first, last string
	gender      student.Gender
	grade       int
	born        time.Time
	status      student.Status
	leaves      time.Time // zero for those who stay
	ability     float64   // in standard deviations from the average
	habit       habit
	away        map[time.Time]bool
	row         *tenantdb.Student
}

// here reports whether the pupil is still at the school on a day.
func (p *pupil) here(day time.Time) bool { return p.leaves.IsZero() || day.Before(p.leaves) }

func gradeName(grade int) string {
	if grade == 0 {
		return "K"
	}
	return strconv.Itoa(grade)
}

// families returns as many families as fill the school, its grades evenly.
func (s *seeder) families() []family {
	seats := make([]int, s.Students)
	for i := range seats {
		seats[i] = s.FirstGrade + i%(s.LastGrade-s.FirstGrade+1)
	}
	s.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
	var families []family
	for len(seats) > 0 {
		children := min(draw(s.Rand, children), len(seats))
		if s.Float64() > 0.05 {
			partTwins(seats, children)
		}
		families = append(families, s.family(seats[:children]))
		seats = seats[children:]
	}
	return families
}

// partTwins brings different grades to the front of the seats, as long as there are any.
func partTwins(seats []int, children int) {
	for i := range children {
		for j := i; j < len(seats); j++ {
			if !slices.Contains(seats[:i], seats[j]) {
				seats[i], seats[j] = seats[j], seats[i]
				break
			}
		}
	}
}

func (s *seeder) family(grades []int) family {
	culture := pick(s.Rand, cultures)
	last := word(s.Rand, culture.last)
	f := family{address: fmt.Sprintf("%d %s", 1+s.IntN(480), pick(s.Rand, streets))}
	birthday := 31 + s.IntN(300)
	for _, grade := range grades {
		p := s.pupil(grade)
		p.first, p.last = s.firstName(&f, culture, p.gender == student.GenderFemale), last
		// Birthdays of a family lie close, so that children in neighbouring grades are not born within weeks.
		p.born = s.year.from.AddDate(-6-grade, 0, birthday+s.IntN(60)-30)
		for _, twin := range f.pupils {
			if twin.grade == grade {
				p.born = twin.born
			}
		}
		f.pupils = append(f.pupils, p)
	}
	for i, relationship := range draw(s.Rand, households) {
		f.guardians = append(f.guardians, s.guardian(&f, culture, last, relationship, i > 0))
	}
	return f
}

func (s *seeder) pupil(grade int) *pupil {
	p := &pupil{
		grade: grade, gender: draw(s.Rand, genders), status: student.StatusActive,
		ability: s.NormFloat64(), habit: draw(s.Rand, habits), away: map[time.Time]bool{},
	}
	if s.Float64() < 0.03 {
		first := s.year.shown(s.today)[0].days(s.today)
		p.leaves = first[len(first)/4+s.IntN(len(first)/2)]
		p.status = pick(s.Rand, []student.Status{student.StatusTransferred, student.StatusWithdrawn})
	}
	return p
}

// firstName returns a name that nobody in the family has yet.
func (s *seeder) firstName(f *family, culture culture, female bool) string {
	names := culture.male
	if female {
		names = culture.female
	}
	name := word(s.Rand, names)
	for slices.Contains(f.names, name) {
		name = word(s.Rand, names)
	}
	f.names = append(f.names, name)
	return name
}

// guardian returns one who answers for a family's children; not every second one has the family's name.
func (s *seeder) guardian(f *family, culture culture, last, relationship string, second bool) guardian {
	if second && s.Float64() < 0.2 {
		culture = pick(s.Rand, cultures)
		last = word(s.Rand, culture.last)
	}
	first := s.firstName(f, culture, slices.Contains(women, relationship))
	g := guardian{name: first + " " + last, relationship: relationship, phone: s.phone()}
	if s.Float64() < 0.85 {
		g.email = new(s.email(first, last, pick(s.Rand, []string{"example.org", "example.net"})))
	}
	return g
}

// writeStudents writes the children of all families. Those who did not come in the lowest grade have
// the admission number of a later year.
func (s *seeder) writeStudents(ctx context.Context, families []family) ([]*pupil, error) {
	var pupils []*pupil
	var rows []*tenantdb.StudentCreate
	admitted := map[int]int{}
	for _, f := range families {
		for _, p := range f.pupils {
			year := s.year.from.Year() - (p.grade - s.FirstGrade)
			if s.Float64() < 0.15 {
				year += s.IntN(p.grade - s.FirstGrade + 1)
			}
			admitted[year]++
			row := s.db.Student.Create().
				SetAdmissionNumber(fmt.Sprintf("%s-%d-%04d", s.Prefix, year, admitted[year])).
				SetFirstName(p.first).SetLastName(p.last).SetGender(p.gender).SetDateOfBirth(p.born).
				SetGradeLevel(gradeName(p.grade)).SetStatus(p.status)
			if p.grade >= 6 {
				row.SetEmail(s.email(p.first, p.last, "students."+s.Code+".example.org"))
			}
			pupils, rows = append(pupils, p), append(rows, row)
		}
	}
	saved, err := save(ctx, s.db.Student.CreateBulk, rows)
	if err != nil {
		return nil, err
	}
	for i, p := range pupils {
		p.row = saved[i]
	}
	return pupils, nil
}

// writeGuardians writes the guardians, whose children they are, and which of them ask by WhatsApp.
func (s *seeder) writeGuardians(ctx context.Context, families []family) error {
	var rows []*tenantdb.GuardianCreate
	for _, f := range families {
		for _, g := range f.guardians {
			rows = append(rows, s.db.Guardian.Create().SetFullName(g.name).SetAddress(f.address).
				SetNillablePhone(g.phone).SetNillableEmail(g.email))
		}
	}
	saved, err := save(ctx, s.db.Guardian.CreateBulk, rows)
	if err != nil {
		return err
	}
	var ties []*tenantdb.StudentGuardianCreate
	var chats []*tenantdb.WhatsAppStudentMappingCreate
	for _, f := range families {
		for i, g := range f.guardians {
			writes := g.phone != nil && s.Float64() < 0.3
			for _, p := range f.pupils {
				ties = append(ties, s.db.StudentGuardian.Create().SetStudent(p.row).SetGuardian(saved[0]).
					SetRelationship(g.relationship).SetIsPrimary(i == 0))
				if writes {
					chats = append(chats, s.db.WhatsAppStudentMapping.Create().SetStudent(p.row).SetNillablePhone(g.phone).
						SetAdmissionNumber(p.row.AdmissionNumber).SetStudentName(p.first+" "+p.last))
				}
			}
			saved = saved[1:]
		}
	}
	if _, err := save(ctx, s.db.StudentGuardian.CreateBulk, ties); err != nil {
		return err
	}
	_, err = save(ctx, s.db.WhatsAppStudentMapping.CreateBulk, chats)
	return err
}
