package demo

import (
	"context"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/attendancerecord"
)

// habit is how a pupil comes to school: the probabilities of a day.
type habit struct {
	absent, late float64
	monday       float64 // of being absent on one
	fading       bool    // absence grows from nothing to twice the figure
}

// habits are mostly good; the last three are what a school wants to see early.
var habits = []chance[habit]{
	{60, habit{absent: 0.01, late: 0.015, monday: 0.015}},
	{31, habit{absent: 0.025, late: 0.05, monday: 0.03}},
	{4, habit{absent: 0.18, late: 0.1, monday: 0.2}},
	{3, habit{absent: 0.03, late: 0.03, monday: 0.5}},
	{2, habit{absent: 0.2, late: 0.05, monday: 0.2, fading: true}},
}

var (
	reasonsExcused = []string{"Ill, a guardian called", "Doctor's appointment", "Family occasion", "Dentist", "Letter from home"}
	reasonsLate    = []string{"Bus was late", "Overslept", "Came after the first period"}
	reasonsAbsent  = []string{"No word from home", "Guardian called, no answer", "Guardian did not know"}
)

// writeAttendance writes a record for each pupil and school day of the terms, up to today.
func (s *seeder) writeAttendance(ctx context.Context, pupils []*pupil, terms []term) error {
	var days []time.Time
	for _, t := range terms {
		days = append(days, t.days(s.today)...)
	}
	var rows []*tenantdb.AttendanceRecordCreate
	for _, p := range pupils {
		ill := 0
		for i, day := range days {
			if !p.here(day) {
				break
			}
			if s.Float64() < 0.007 {
				ill = 1 + s.IntN(4)
			}
			status, note := s.attendance(p.habit, day, float64(i)/float64(len(days)), ill > 0)
			ill--
			p.away[day] = status == attendancerecord.StatusAbsent || status == attendancerecord.StatusExcused
			rows = append(rows, s.db.AttendanceRecord.Create().SetStudent(p.row).SetDate(day).SetStatus(status).SetNillableNote(note))
		}
	}
	_, err := save(ctx, s.db.AttendanceRecord.CreateBulk, rows)
	return err
}

// attendance returns one day's status; passed is the part of the time that lies before it.
func (s *seeder) attendance(h habit, day time.Time, passed float64, ill bool) (attendancerecord.Status, *string) {
	absent := h.absent
	if day.Weekday() == time.Monday {
		absent = h.monday
	}
	if h.fading {
		absent *= 2 * passed
	}
	at := s.Float64()
	switch {
	case ill:
		return attendancerecord.StatusExcused, sometimes(s.Rand, 0.6, reasonsExcused)
	case at < absent:
		return attendancerecord.StatusAbsent, sometimes(s.Rand, 0.3, reasonsAbsent)
	case at < absent+h.late:
		return attendancerecord.StatusLate, sometimes(s.Rand, 0.3, reasonsLate)
	}
	return attendancerecord.StatusPresent, nil
}
