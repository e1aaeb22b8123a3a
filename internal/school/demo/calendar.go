package demo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// calendar is an academic year and its terms.
type calendar struct {
	name     string
	from, to time.Time
	terms    []term
}

// term is a part of the year; row is set once it is written.
type term struct {
	name     string
	from, to time.Time
	row      *tenantdb.Term
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// calendarOf returns the year that holds today. A year that has only begun would have nothing to show,
// so the first half of a year is seen in one that starts in autumn, as in the north, and the second
// half in one that starts in January, as in the south.
func calendarOf(today time.Time) calendar {
	y := today.Year()
	if today.Month() >= time.August {
		return calendar{strconv.Itoa(y), date(y, time.January, 1), date(y, time.December, 31), []term{
			newTerm("Term 1", y, time.January, 25, 10),
			newTerm("Term 2", y, time.April, 19, 10),
			newTerm("Term 3", y, time.July, 12, 10),
			newTerm("Term 4", y, time.October, 4, 10),
		}}
	}
	return calendar{fmt.Sprintf("%d-%d", y-1, y), date(y-1, time.August, 1), date(y, time.July, 31), []term{
		newTerm("Autumn Term", y-1, time.September, 8, 13),
		newTerm("Spring Term", y, time.January, 4, 11),
		newTerm("Summer Term", y, time.April, 8, 11),
	}}
}

// newTerm returns a term from the first Monday on or after a day to the Friday of its last week.
func newTerm(name string, year int, month time.Month, day, weeks int) term {
	from := date(year, month, day)
	for from.Weekday() != time.Monday {
		from = from.AddDate(0, 0, 1)
	}
	return term{name: name, from: from, to: from.AddDate(0, 0, 7*weeks-3)}
}

// shown returns the terms that have classes: the last that has begun and, in its first four weeks, the
// one before, too, for there is not much to see in a term that is so young.
func (c calendar) shown(today time.Time) []term {
	begun := len(c.terms)
	for c.terms[begun-1].from.After(today) {
		begun--
	}
	if begun > 1 && today.Before(c.terms[begun-1].from.AddDate(0, 0, 28)) {
		return c.terms[begun-2 : begun]
	}
	return c.terms[begun-1 : begun]
}

// days returns the school days of a term up to today.
func (t term) days(today time.Time) []time.Time {
	var days []time.Time
	for day := t.from; !day.After(t.to) && !day.After(today); day = day.AddDate(0, 0, 1) {
		if day.Weekday() != time.Saturday && day.Weekday() != time.Sunday {
			days = append(days, day)
		}
	}
	return days
}

// writeCalendar writes the year with all its terms, and returns those that are shown.
func (s *seeder) writeCalendar(ctx context.Context) ([]term, error) {
	year, err := s.db.AcademicYear.Create().SetName(s.year.name).SetStartsOn(s.year.from).SetEndsOn(s.year.to).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("writing the academic year: %w", err)
	}
	var rows []*tenantdb.TermCreate
	for _, t := range s.year.terms {
		rows = append(rows, s.db.Term.Create().SetAcademicYear(year).SetName(t.name).SetStartsOn(t.from).SetEndsOn(t.to))
	}
	saved, err := save(ctx, s.db.Term.CreateBulk, rows)
	if err != nil {
		return nil, err
	}
	for i := range s.year.terms {
		s.year.terms[i].row = saved[i]
	}
	return s.year.shown(s.today), nil
}
