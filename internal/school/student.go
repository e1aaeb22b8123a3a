package school

import (
	"context"
	"time"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/guardian"
	"github.com/homeroom-sms/homeroom/ent/tenant/studentguardian"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

func checkStudent(m *tenantdb.StudentMutation) error {
	if born, ok := m.DateOfBirth(); ok && born.After(time.Now()) {
		return fault.Invalid("body.date_of_birth", "Nobody is born in the future.")
	}
	return nil
}

// LeaveGuardians prepares a student's deletion, which takes the links to the guardians along: each of
// them counts as changed.
func LeaveGuardians(ctx context.Context, db *tenantdb.Client, studentID uuid.UUID) error {
	return db.Guardian.Update().Where(guardian.HasStudentsWith(studentguardian.StudentID(studentID))).Exec(ctx)
}
