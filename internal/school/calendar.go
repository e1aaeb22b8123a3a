package school

import (
	"context"

	"entgo.io/ent"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/academicyear"
	"github.com/homeroom-sms/homeroom/ent/tenant/term"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// checkAcademicYear keeps a year around its terms.
func checkAcademicYear(ctx context.Context, db *tenantdb.Client, m *tenantdb.AcademicYearMutation) error {
	starts, _ := m.StartsOn()
	ends, _ := m.EndsOn()
	if !starts.Before(ends) {
		return fault.Invalid("body.ends_on", "An academic year ends after it starts.")
	}
	id, _ := m.ID()
	if !m.Op().Is(ent.OpUpdateOne) {
		return nil // it has no terms yet
	}
	beyond, err := db.Term.Query().Where(term.AcademicYearID(id), term.Or(term.StartsOnLT(starts), term.EndsOnGT(ends))).Exist(ctx)
	if err != nil || !beyond {
		return err
	}
	return invalid([]fault.Field{
		{Location: "body.starts_on", Message: "A term of the academic year would lie outside of it."},
		{Location: "body.ends_on", Message: "A term of the academic year would lie outside of it."},
	})
}

// checkTerm keeps a term within its year, which is locked so that it stays around it.
func checkTerm(ctx context.Context, db *tenantdb.Client, m *tenantdb.TermMutation) error {
	starts, _ := m.StartsOn()
	ends, _ := m.EndsOn()
	if !starts.Before(ends) {
		return fault.Invalid("body.ends_on", "A term ends after it starts.")
	}
	yearID, _ := m.AcademicYearID()
	year, err := db.AcademicYear.Query().Where(academicyear.ID(yearID)).ForShare().Only(ctx)
	if tenantdb.IsNotFound(err) {
		return fault.Invalid("body.academic_year_id", "There is no such academic year.")
	}
	if err != nil {
		return err
	}
	var wrong []fault.Field
	if starts.Before(year.StartsOn) {
		wrong = append(wrong, fault.Field{Location: "body.starts_on", Message: "The academic year has not started by then."})
	}
	if ends.After(year.EndsOn) {
		wrong = append(wrong, fault.Field{Location: "body.ends_on", Message: "The academic year has ended by then."})
	}
	return invalid(wrong)
}
