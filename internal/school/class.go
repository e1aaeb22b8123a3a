package school

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/class"
	"github.com/homeroom-sms/homeroom/ent/tenant/classteacher"
	"github.com/homeroom-sms/homeroom/ent/tenant/enrollment"
	"github.com/homeroom-sms/homeroom/ent/tenant/staff"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// checkClass keeps a class as large as the number of those who are in it.
func checkClass(ctx context.Context, db *tenantdb.Client, m *tenantdb.ClassMutation) error {
	capacity, limited := m.Capacity()
	id, _ := m.ID()
	if !limited || !m.Op().Is(ent.OpUpdateOne) {
		return nil
	}
	taken, err := seatsTaken(ctx, db, id)
	if err == nil && taken > capacity {
		err = fault.Invalid("body.capacity", "The class has %d active enrollments.", taken)
	}
	return err
}

// checkEnrollment keeps an enrollment with its student and class, and lets a student into a class only
// while it has a seat.
func checkEnrollment(ctx context.Context, db *tenantdb.Client, m *tenantdb.EnrollmentMutation) error {
	enrolled, hasStart := m.EnrolledOn()
	ended, hasEnd := m.EndedOn()
	if hasStart && hasEnd && ended.Before(enrolled) {
		return fault.Invalid("body.ended_on", "An enrollment does not end before it starts.")
	}
	if m.Op().Is(ent.OpUpdateOne) {
		if err := checkFixed(ctx, m); err != nil {
			return err
		}
		if old, err := m.OldStatus(ctx); err != nil || old == enrollment.StatusActive {
			return err // it has its seat
		}
	}
	if status, _ := m.Status(); status != enrollment.StatusActive {
		return nil
	}
	classID, _ := m.ClassID()
	return findSeat(ctx, db, classID)
}

func checkFixed(ctx context.Context, m *tenantdb.EnrollmentMutation) error {
	oldStudent, err := m.OldStudentID(ctx)
	if err != nil {
		return err
	}
	oldClass, err := m.OldClassID(ctx)
	if err != nil {
		return err
	}
	const message = "An enrollment keeps its student and class; make another one."
	var wrong []fault.Field
	if student, ok := m.StudentID(); ok && student != oldStudent {
		wrong = append(wrong, fault.Field{Location: "body.student_id", Message: message})
	}
	if class, ok := m.ClassID(); ok && class != oldClass {
		wrong = append(wrong, fault.Field{Location: "body.class_id", Message: message})
	}
	return invalid(wrong)
}

// findSeat locks the class: two who ask at once for its last seat must not both get it.
func findSeat(ctx context.Context, db *tenantdb.Client, classID uuid.UUID) error {
	row, err := db.Class.Query().Where(class.ID(classID)).ForUpdate().Only(ctx)
	if tenantdb.IsNotFound(err) {
		return fault.Invalid("body.class_id", "There is no such class.")
	}
	if err != nil || row.Capacity == nil {
		return err
	}
	taken, err := seatsTaken(ctx, db, classID)
	if err == nil && taken >= *row.Capacity {
		err = fault.Invalid("body.class_id", "The class is full: it has %d seats.", *row.Capacity)
	}
	return err
}

func seatsTaken(ctx context.Context, db *tenantdb.Client, classID uuid.UUID) (int, error) {
	return db.Enrollment.Query().Where(enrollment.ClassID(classID), enrollment.StatusEQ(enrollment.StatusActive)).Count(ctx)
}

// SetTeachers makes the given staff the teachers of a class, in this order: the first leads it. The
// class must be locked, or new.
func SetTeachers(ctx context.Context, db *tenantdb.Client, classID uuid.UUID, staffIDs []uuid.UUID) error {
	ofClass := classteacher.ClassID(classID)
	rows, err := db.ClassTeacher.Query().Where(ofClass).Order(classteacher.ByPosition()).All(ctx)
	if err != nil {
		return err
	}
	same := func(row *tenantdb.ClassTeacher, id uuid.UUID) bool { return row.StaffID == id }
	if slices.EqualFunc(rows, staffIDs, same) {
		return nil
	}
	known, err := db.Staff.Query().Where(staff.IDIn(staffIDs...)).IDs(ctx)
	if err != nil {
		return err
	}
	if err := invalid(wrongLinks("body.teachers[%d].staff_id", staffIDs, known)); err != nil {
		return err
	}
	if _, err := db.ClassTeacher.Delete().Where(ofClass).Exec(ctx); err != nil {
		return err
	}
	creates := make([]*tenantdb.ClassTeacherCreate, len(staffIDs))
	for i, id := range staffIDs {
		creates[i] = db.ClassTeacher.Create().SetClassID(classID).SetStaffID(id).SetPosition(i + 1)
	}
	return db.ClassTeacher.CreateBulk(creates...).Exec(ctx)
}

// wrongLinks blames ids that lead to no record of this school, or are given twice.
func wrongLinks(location string, ids, known []uuid.UUID) (wrong []fault.Field) {
	for i, id := range ids {
		switch {
		case !slices.Contains(known, id):
			wrong = append(wrong, fault.Field{Location: fmt.Sprintf(location, i), Message: "There is no such record in this school."})
		case slices.Contains(ids[:i], id):
			wrong = append(wrong, fault.Field{Location: fmt.Sprintf(location, i), Message: "is given more than once"})
		}
	}
	return wrong
}
