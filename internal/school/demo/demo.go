// Package demo fills a school with invented people and a term of their life, for a first look at a
// living system. The same school on the same day gets the same rows, whatever the machine.
package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// School is what makes one demo school.
type School struct {
	Code, Name            string
	Prefix                string // of admission and staff numbers
	Seed                  uint64
	FirstGrade, LastGrade int // 0 is kindergarten
	Students              int
	AreaCodes             []string // each has the hundred telephone numbers that are reserved for fiction
}

// Schools returns the demo schools. They share no telephone number, so that each leads to one school.
func Schools() []School {
	return []School{
		{
			Code: "greenwood", Name: "Greenwood High School", Prefix: "GRN", Seed: 1,
			FirstGrade: 9, LastGrade: 12, Students: 280,
			AreaCodes: []string{"202", "303", "404", "512", "617", "702"},
		},
		{
			Code: "riverside", Name: "Riverside Primary School", Prefix: "RIV", Seed: 2,
			FirstGrade: 0, LastGrade: 5, Students: 260,
			AreaCodes: []string{"206", "312", "415", "503", "713", "808"},
		},
	}
}

// seeder is one run of Seed. All chance comes from its one source, so the order of the draws is part
// of the result.
type seeder struct {
	School
	*rand.Rand
	db     *tenantdb.Client
	today  time.Time
	year   calendar
	phones []string
	emails map[string]int
}

// Seed fills an empty school with all that has happened in it up to today. It writes through db alone,
// so with a transaction's client it is all or nothing.
func Seed(ctx context.Context, db *tenantdb.Client, school School, today time.Time) error {
	day := date(today.Year(), today.Month(), today.Day())
	s := &seeder{
		School: school,
		Rand:   rand.New(rand.NewPCG(school.Seed, 0)), //nolint:gosec // it must be repeatable, not secret
		db:     db, today: day, year: calendarOf(day), emails: map[string]int{},
	}
	s.phones = s.fictionalPhones()

	terms, err := s.writeCalendar(ctx)
	if err != nil {
		return err
	}
	families := s.families()
	pupils, err := s.writeStudents(ctx, families)
	if err != nil {
		return err
	}
	if err := s.writeGuardians(ctx, families); err != nil {
		return err
	}
	lessons, err := s.writeLessons(ctx, pupils, terms)
	if err != nil {
		return err
	}
	if err := s.writeAttendance(ctx, pupils, terms); err != nil {
		return err
	}
	return s.writeMarks(ctx, lessons)
}

// save writes rows a thousand at a time: a statement has at most 65,535 parameters.
func save[B, E any, S interface {
	Save(context.Context) ([]E, error)
}](ctx context.Context, bulk func(...B) S, rows []B) ([]E, error) {
	saved := make([]E, 0, len(rows))
	for chunk := range slices.Chunk(rows, 1000) {
		part, err := bulk(chunk...).Save(ctx)
		if err != nil {
			return nil, fmt.Errorf("writing %T: %w", saved, err)
		}
		saved = append(saved, part...)
	}
	return saved, nil
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// word picks one of the words of a list.
func word(r *rand.Rand, list string) string { return pick(r, strings.Fields(list)) }

// chance is a value and how often it is drawn, in relation to the others of its list.
type chance[T any] struct {
	weight int
	value  T
}

func draw[T any](r *rand.Rand, from []chance[T]) T {
	total := 0
	for _, c := range from {
		total += c.weight
	}
	at := r.IntN(total)
	for _, c := range from {
		if at -= c.weight; at < 0 {
			return c.value
		}
	}
	panic("unreachable: the weights are their own sum")
}

// sometimes returns one of the values with the given probability, else nil.
func sometimes(r *rand.Rand, probability float64, values []string) *string {
	if r.Float64() >= probability {
		return nil
	}
	return new(pick(r, values))
}

func (s *seeder) fictionalPhones() []string {
	var phones []string
	for _, area := range s.AreaCodes {
		for n := range 100 {
			phones = append(phones, fmt.Sprintf("+1%s55501%02d", area, n))
		}
	}
	s.Shuffle(len(phones), func(i, j int) { phones[i], phones[j] = phones[j], phones[i] })
	return phones
}

// phone returns a number that nobody has yet, or nil when none is left.
func (s *seeder) phone() *string {
	if len(s.phones) == 0 {
		return nil
	}
	phone := s.phones[0]
	s.phones = s.phones[1:]
	return &phone
}

// email returns an address that nobody has yet.
func (s *seeder) email(first, last, domain string) string {
	local := plain.Replace(strings.ToLower(first + "." + last))
	s.emails[local+"@"+domain]++
	if n := s.emails[local+"@"+domain]; n > 1 {
		local = fmt.Sprint(local, n)
	}
	return local + "@" + domain
}
