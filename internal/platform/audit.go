package platform

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/auditevent"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// Actor is who does something and from where.
type Actor struct {
	Name      string // as the audit has it
	RequestID string
	Address   string
	Scopes    auth.Scopes // what they are narrowed to
}

// Shell is whoever works on the machine itself.
var Shell = Actor{Name: "shell"}

// audit records, in the transaction of the change itself, what was done to a school. Details hold
// no secrets and no personal data.
func audit(ctx context.Context, tx *publicdb.Client, by Actor, action string, school *publicdb.School, details map[string]any) error {
	event := tx.AuditEvent.Create().SetActor(by.Name).SetAction(action).SetDetails(details)
	if school != nil {
		event.SetSchoolID(school.ID).SetSchoolCode(school.Code)
	}
	if by.RequestID != "" {
		event.SetRequestID(by.RequestID)
	}
	if by.Address != "" {
		event.SetAddress(by.Address)
	}
	return event.Exec(ctx)
}

// facts are what an audit event tells of a thing at one moment.
type facts = map[string]any

// changed are the details of an event that is a change: what there was before it, nil for nothing, and
// what there is after it.
func changed(before, after facts) facts {
	details := facts{}
	if before != nil {
		details["before"] = before
	}
	if after != nil {
		details["after"] = after
	}
	return details
}

// changedFields names the fields whose two values differ: of personal data the audit tells no more.
func changedFields(values map[string][2]*string) []string {
	names := []string{}
	for name, v := range values {
		if before, after := v[0], v[1]; (before == nil) != (after == nil) || before != nil && *before != *after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func schoolFacts(row *publicdb.School) facts {
	return facts{
		"name": row.Name, "code": row.Code, "is_active": row.IsActive, "state": row.State,
		"schema_name": row.SchemaName, "isolation": row.Isolation, "database": row.Database,
	}
}

func domainFacts(row *publicdb.Domain) facts {
	return facts{"domain": row.Domain, "is_primary": row.IsPrimary}
}

// contactFacts leave out who the contact is.
func contactFacts(row *publicdb.WhatsAppContact) facts {
	return facts{"contact": row.ID, "school_id": row.SchoolID}
}

func keyFacts(row *publicdb.APIKey) facts {
	return facts{"key": row.ID, "name": row.Name, "role": row.Role, "scopes": row.Scopes, "expires_at": row.ExpiresAt, "revoked_at": row.RevokedAt}
}

// operatorFacts leave out who the operator is.
func operatorFacts(row *publicdb.Operator) facts {
	return facts{"operator": row.ID, "role": row.Role, "is_active": row.IsActive}
}

func databaseFacts(row *publicdb.Database) facts {
	return facts{
		"name": row.Name, "kind": row.Kind, "url": row.URL, "password_ref": row.PasswordRef,
		"capacity": row.Capacity, "is_active": row.IsActive,
	}
}

// AuditFilter narrows a list of audit events; an empty field does not.
type AuditFilter struct {
	School       string // id, or code at that time
	Actor        string
	Action       string
	Since, Until time.Time // Until is the first moment after
}

var auditOrder = keyset.Order[publicdb.AuditEvent]{
	Keys: []keyset.Key[publicdb.AuditEvent]{
		{Name: "at", Value: func(e *publicdb.AuditEvent) string { return keyset.Time(e.At) }},
	},
	ID: func(e *publicdb.AuditEvent) uuid.UUID { return e.ID },
}

// AuditEvents returns a page of what was done, and the cursor of the next page.
func (p *Platform) AuditEvents(ctx context.Context, f AuditFilter, page keyset.Page) ([]*publicdb.AuditEvent, string, error) {
	query := p.registry.Public().AuditEvent.Query()
	if id, err := uuid.Parse(f.School); err == nil {
		query.Where(auditevent.SchoolID(id))
	} else if f.School != "" {
		query.Where(auditevent.SchoolCode(f.School))
	}
	if f.Actor != "" {
		query.Where(auditevent.Actor(f.Actor))
	}
	if f.Action != "" {
		query.Where(auditevent.Action(f.Action))
	}
	if !f.Since.IsZero() {
		query.Where(auditevent.AtGTE(f.Since))
	}
	if !f.Until.IsZero() {
		query.Where(auditevent.AtLT(f.Until))
	}
	return keyset.List(ctx, query, auditOrder, page)
}
