package school

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/student"
	"github.com/homeroom-sms/homeroom/ent/tenant/studentguardian"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// StudentLink ties a guardian to a student.
type StudentLink struct {
	StudentID    uuid.UUID
	Relationship string // what the guardian is to the student
	IsPrimary    bool   // to be called first
}

// SetStudents makes the given students those whom a guardian looks after. The guardian must be locked,
// or new.
func SetStudents(ctx context.Context, db *tenantdb.Client, guardianID uuid.UUID, links []StudentLink) error {
	links, err := checkLinks(links)
	if err != nil {
		return err
	}
	ofGuardian := studentguardian.GuardianID(guardianID)
	rows, err := db.StudentGuardian.Query().Where(ofGuardian).Order(studentguardian.ByID()).All(ctx)
	if err != nil {
		return err
	}
	same := func(row *tenantdb.StudentGuardian, link StudentLink) bool {
		return StudentLink{row.StudentID, row.Relationship, row.IsPrimary} == link
	}
	if slices.EqualFunc(rows, links, same) {
		return nil
	}
	ids := make([]uuid.UUID, len(links))
	creates := make([]*tenantdb.StudentGuardianCreate, len(links))
	for i, link := range links {
		ids[i] = link.StudentID
		creates[i] = db.StudentGuardian.Create().SetGuardianID(guardianID).SetStudentID(link.StudentID).
			SetRelationship(link.Relationship).SetIsPrimary(link.IsPrimary)
	}
	known, err := db.Student.Query().Where(student.IDIn(ids...)).IDs(ctx)
	if err != nil {
		return err
	}
	if err := invalid(wrongLinks("body.students[%d].student_id", ids, known)); err != nil {
		return err
	}
	if _, err := db.StudentGuardian.Delete().Where(ofGuardian).Exec(ctx); err != nil {
		return err
	}
	return db.StudentGuardian.CreateBulk(creates...).Exec(ctx)
}

func checkLinks(links []StudentLink) ([]StudentLink, error) {
	links = slices.Clone(links)
	var wrong []fault.Field
	for i := range links {
		text, message := normal(studentguardian.FieldRelationship, links[i].Relationship)
		if text == "" && message == "" {
			message = noText
		}
		if message != "" {
			wrong = append(wrong, fault.Field{Location: fmt.Sprintf("body.students[%d].relationship", i), Message: message})
		}
		links[i].Relationship = text
	}
	return links, invalid(wrong)
}
