package demo

import (
	"testing"
	"time"
)

// Whatever the day, there is a year around it, terms in it, and a month of school to show.
func TestCalendar(t *testing.T) {
	t.Parallel()
	for today := date(2024, time.January, 1); today.Year() < 2036; today = today.AddDate(0, 0, 1) {
		c := calendarOf(today)
		if today.Before(c.from) || today.After(c.to) {
			t.Fatalf("%v is not in the year %s", today, c.name)
		}
		last := c.from.AddDate(0, 0, -1)
		for _, term := range c.terms {
			if !term.from.After(last) || !term.to.After(term.from) || term.to.After(c.to) {
				t.Fatalf("%s of %s, %v to %v, begins before the last one ends or leaves the year", term.name, c.name, term.from, term.to)
			}
			last = term.to
		}
		days := 0
		for _, term := range c.shown(today) {
			days += len(term.days(today))
		}
		if days < 20 || days > 90 {
			t.Fatalf("on %v there are %d school days to show", today, days)
		}
	}
}
