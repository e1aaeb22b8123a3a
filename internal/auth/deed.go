package auth

import (
	"context"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// Origin is where a request comes from; a field is empty where it is not known.
type Origin struct{ RequestID, Address string }

// Deed is what the audit of a school tells of: who did what, and from where. Details hold no secrets and no
// personal data.
type Deed struct {
	Origin
	Actor   string
	Action  string
	Details map[string]any
}

// Record adds a deed to the audit of a school.
func (d Deed) Record(ctx context.Context, db *tenantdb.Client) error {
	return db.AuditEvent.Create().SetActor(d.Actor).SetAction(d.Action).SetDetails(d.Details).
		SetNillableRequestID(text(d.RequestID)).SetNillableAddress(text(d.Address)).Exec(ctx)
}
