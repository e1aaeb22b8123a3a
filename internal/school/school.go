// Package school holds the rules of one school's records: what a record must be, whoever stores it.
//
// [Check] is the door. It is given the change to a row before it is saved, in the transaction that
// saves it; an update's comes from UpdateOne(row) with the row locked, so that what was checked still
// holds when it is saved. Rows that belong to a record and live and die with it, such as a class's
// teachers, are written by functions of their own, such as [SetTeachers].
package school

import (
	"context"

	"entgo.io/ent"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Check brings the texts of a change to their normal form and holds the whole against the rules of its
// record; what breaks one is InvalidInput. The change must be of the whole record: each of its fields
// set or cleared. Locks that a rule takes last as long as the transaction of db.
func Check(ctx context.Context, db *tenantdb.Client, m ent.Mutation) error {
	if err := tidy(m); err != nil {
		return err
	}
	switch m := m.(type) {
	case *tenantdb.StudentMutation:
		return checkStudent(m)
	case *tenantdb.ClassMutation:
		return checkClass(ctx, db, m)
	case *tenantdb.EnrollmentMutation:
		return checkEnrollment(ctx, db, m)
	case *tenantdb.AcademicYearMutation:
		return checkAcademicYear(ctx, db, m)
	case *tenantdb.TermMutation:
		return checkTerm(ctx, db, m)
	}
	return nil
}

// invalid returns one fault of all that was found wrong, nil if nothing was.
func invalid(fields []fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.InvalidInput, Message: fields[0].Message, Fields: fields}
}
