package demo

import (
	"context"
	"math"
	"slices"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/assessment"
)

// paper is an assessment that every class has, at a part of its term.
type paper struct {
	name       string
	kind       assessment.Kind
	at         float64
	max        float64
	weight     float64
	practicals string // its name where projects are marked instead
}

// papers come in their order; two lie in the first four weeks of any term.
var papers = []paper{
	{name: "Homework Portfolio", kind: assessment.KindAssignment, at: 0.1, max: 20, weight: 1, practicals: "First Exercise"},
	{name: "Quiz", kind: assessment.KindQuiz, at: 0.2, max: 25, weight: 1, practicals: "Skills Check"},
	{name: "Unit Test", kind: assessment.KindTest, at: 0.55, max: 50, weight: 2, practicals: "Group Project"},
	{name: "End of Term Exam", kind: assessment.KindExam, at: 0.92, max: 100, weight: 3, practicals: "Final Project"},
}

// mark is the least part of the full score that earns a grade, and what is said about it.
type mark struct {
	least    float64
	grade    string
	comments []string
}

var marks = []mark{
	{0.9, "A", []string{"Excellent work.", "Clear and complete, well done.", "A pleasure to read."}},
	{0.8, "B", []string{"Good work.", "Sound; check your last steps.", "Nearly there for the top grade."}},
	{0.7, "C", []string{"You know the basics; practise more.", "Read the questions twice."}},
	{0.6, "D", []string{"Please come to the study group.", "Revise this unit before the next one."}},
	{0, "F", []string{"Let us talk about this.", "Please see me after class.", "Support lessons are on Tuesdays."}},
}

// sitting is a paper as one class writes it.
type sitting struct {
	lesson
	paper
	day time.Time
}

// writeMarks writes the assessments that the classes have had up to today, with their results.
func (s *seeder) writeMarks(ctx context.Context, lessons []lesson) error {
	var sittings []sitting
	var rows []*tenantdb.AssessmentCreate
	for _, l := range lessons {
		days := l.term.days(l.term.to)
		for _, p := range papers {
			day := days[int(p.at*float64(len(days)))+l.period%3] // not all subjects on one day
			if day.After(s.today) {
				break
			}
			if l.subject.practical {
				p.name = p.practicals
				if p.kind == assessment.KindTest || p.kind == assessment.KindExam {
					p.kind = assessment.KindProject
				}
			}
			sittings = append(sittings, sitting{l, p, day})
			rows = append(rows, s.db.Assessment.Create().SetClass(l.class).SetName(p.name).SetKind(p.kind).
				SetMaxScore(p.max).SetWeight(p.weight).SetHeldOn(day))
		}
	}
	saved, err := save(ctx, s.db.Assessment.CreateBulk, rows)
	if err != nil {
		return err
	}
	return s.writeResults(ctx, sittings, saved)
}

func (s *seeder) writeResults(ctx context.Context, sittings []sitting, assessments []*tenantdb.Assessment) error {
	talents := map[*pupil]map[string]float64{} // a pupil is better in one subject than in another
	var rows []*tenantdb.ResultCreate
	for i, sitting := range sittings {
		for _, p := range sitting.form.pupils {
			if !p.here(sitting.day) {
				continue
			}
			if talents[p] == nil {
				talents[p] = map[string]float64{}
			}
			talent, known := talents[p][sitting.subject.code]
			if !known {
				talent = s.NormFloat64()
				talents[p][sitting.subject.code] = talent
			}
			rows = append(rows, s.result(p, talent, sitting).SetAssessment(assessments[i]).SetStudent(p.row))
		}
	}
	_, err := save(ctx, s.db.Result.CreateBulk, rows)
	return err
}

// result marks one pupil's paper. It stays unmarked for those who were away, and for some others, most
// of all in the first days.
func (s *seeder) result(p *pupil, talent float64, sitting sitting) *tenantdb.ResultCreate {
	row := s.db.Result.Create()
	if p.away[sitting.day] {
		return row.SetComment("Was away; will sit it later.")
	}
	unmarked := 0.01
	if s.today.Sub(sitting.day) < 5*24*time.Hour {
		unmarked = 0.4
	}
	if s.Float64() < unmarked {
		return row
	}
	part := 0.78 + 0.09*p.ability + 0.04*talent + 0.05*s.NormFloat64()
	score := math.Round(min(max(part, 0.15), 1)*sitting.max*2) / 2
	m := marks[slices.IndexFunc(marks, func(m mark) bool { return score >= m.least*sitting.max })] // the last takes any
	return row.SetScore(score).SetGrade(m.grade).SetNillableComment(sometimes(s.Rand, 0.1, m.comments))
}
