package roster

import (
	"context"
	"fmt"
	"time"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// calendar writes the years and terms of the sections. Both span all that is said of them.
func (w *writer) calendar(ctx context.Context) error {
	w.terms = map[string]*tenantdb.Term{}
	yearOf := map[string]*tenantdb.AcademicYear{}
	var years []*tenantdb.AcademicYear
	var terms []*tenantdb.Term
	for _, section := range w.school.Sections {
		name, term := section.Term.year(), section.Term
		year := yearOf[name]
		if year == nil {
			year = &tenantdb.AcademicYear{SourceID: &name, Name: name, StartsOn: term.Starts, EndsOn: term.Ends}
			yearOf[name] = year
			years = append(years, year)
		}
		widen(&year.StartsOn, &year.EndsOn, term.Starts, term.Ends)
		id := term.sourceID()
		if w.terms[id] == nil {
			w.terms[id] = &tenantdb.Term{SourceID: &id, Name: term.Name, StartsOn: term.Starts, EndsOn: term.Ends}
			terms = append(terms, w.terms[id])
		}
		widen(&w.terms[id].StartsOn, &w.terms[id].EndsOn, term.Starts, term.Ends)
	}
	if err := sync(ctx, w, yearTable(w.db), years); err != nil {
		return err
	}
	for _, section := range w.school.Sections {
		w.terms[section.Term.sourceID()].AcademicYearID = yearOf[section.Term.year()].ID
	}
	return sync(ctx, w, termTable(w.db), terms)
}

// year returns the school year in which the term starts; one begins with July.
func (t Term) year() string {
	first := t.Starts.Year()
	if t.Starts.Month() < time.July {
		first--
	}
	return fmt.Sprintf("%d-%d", first, first+1)
}

func (t Term) sourceID() string { return t.year() + "/" + t.Name }

// widen makes the span from start to end take in another.
func widen(start, end *time.Time, from, to time.Time) {
	if from.Before(*start) {
		*start = from
	}
	if to.After(*end) {
		*end = to
	}
}
