package wire

import (
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Date is a day of the calendar, YYYY-MM-DD, from 1900 to 2200. It serves in bodies, as *Date where it
// may be null, and as a parameter, where the zero Date means that none was given.
//
//nolint:recvcheck // UnmarshalText must change it and TimePtr must bear nil; the rest are of a value
type Date struct{ day time.Time }

var errDate = errors.New("expected a date from 1900-01-01 to 2200-12-31")

// NewDate returns the day of t in t's own location.
func NewDate(t time.Time) Date {
	year, month, day := t.Date()
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// DateOf is NewDate for what may be null.
func DateOf(t *time.Time) *Date {
	if t == nil {
		return nil
	}
	d := NewDate(*t)
	return &d
}

// Time returns midnight of the day in UTC, or the zero time.
func (d Date) Time() time.Time { return d.day }

// TimePtr is Time for what may be null.
func (d *Date) TimePtr() *time.Time {
	if d == nil || d.IsZero() {
		return nil
	}
	t := d.day
	return &t
}

// IsZero reports whether there is no date.
func (d Date) IsZero() bool { return d.day.IsZero() }

// String returns YYYY-MM-DD.
func (d Date) String() string { return d.day.Format(time.DateOnly) }

// MarshalText writes YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD and refuses days that don't exist and years that can only be mistakes.
func (d *Date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil || t.Year() < 1900 || t.Year() > 2200 {
		return errDate
	}
	d.day = t
	return nil
}

// TransformSchema tells the document what a date looks like. The pattern makes a year out of range an
// error of the property, not of the whole body.
func (Date) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Format = "date"
	s.Pattern = `^(19|20|21)\d\d-|^2200-`
	s.PatternDescription = "a date from 1900-01-01 to 2200-12-31"
	s.Examples = []any{"2014-03-28"}
	return s
}
