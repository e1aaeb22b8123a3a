package platform

import (
	"context"

	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/predicate"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/ent/public/whatsappcontact"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// Contact is a WhatsApp user who belongs to a school.
type Contact struct {
	Phone          *string // E.164, or as people write it with + and the country
	WhatsAppUserID *string
	DisplayName    *string
	SchoolID       uuid.UUID
}

func (c Contact) normal() (Contact, error) {
	if c.Phone == nil && c.WhatsAppUserID == nil {
		return c, fault.Invalid("body.phone", "A contact needs a phone number or a WhatsApp user id.")
	}
	if c.Phone != nil {
		number, err := e164("body.phone", *c.Phone)
		if err != nil {
			return c, err
		}
		c.Phone = &number
	}
	return c, nil
}

// e164 returns a phone number in the form in which it is stored. What can be none, by country and length, is
// InvalidInput at location, and so is an extension, which WhatsApp has none of. Whether it is in use goes unasked:
// the ranges that a library knows of are older than the newest numbers.
func e164(location, text string) (string, error) {
	number, err := phonenumbers.Parse(text, "")
	if err != nil || !phonenumbers.IsPossibleNumber(number) || number.GetExtension() != "" {
		return "", fault.Invalid(location, "This is no phone number with + and the code of its country.")
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}

// ContactFilter narrows a list of contacts; a nil or empty field does not.
type ContactFilter struct {
	SchoolID *uuid.UUID
	Phone    string // as people write it with + and the country
	Search   string // in phone and name
}

var contactOrder = keyset.Order[publicdb.WhatsAppContact]{
	Keys: []keyset.Key[publicdb.WhatsAppContact]{
		{Name: "created_at", Value: func(c *publicdb.WhatsAppContact) string { return keyset.Time(c.CreatedAt) }},
	},
	ID: func(c *publicdb.WhatsAppContact) uuid.UUID { return c.ID },
}

// Contacts returns a page of WhatsApp contacts and the cursor of the next.
func (p *Platform) Contacts(ctx context.Context, f ContactFilter, page keyset.Page) ([]*publicdb.WhatsAppContact, string, error) {
	var where []predicate.WhatsAppContact
	if f.SchoolID != nil {
		where = append(where, whatsappcontact.SchoolID(*f.SchoolID))
	}
	if f.Phone != "" {
		number, err := e164("query.phone", f.Phone)
		if err != nil {
			return nil, "", err
		}
		where = append(where, whatsappcontact.Phone(number))
	}
	if f.Search != "" {
		part := f.Search
		if number, err := e164("", part); err == nil {
			part = number
		}
		where = append(where, whatsappcontact.Or(whatsappcontact.PhoneContains(part), whatsappcontact.DisplayNameContainsFold(f.Search)))
	}
	return keyset.List(ctx, p.registry.Public().WhatsAppContact.Query().Where(where...), contactOrder, page)
}

// Contact returns one WhatsApp contact.
func (p *Platform) Contact(ctx context.Context, id uuid.UUID) (*publicdb.WhatsAppContact, error) {
	row, err := p.registry.Public().WhatsAppContact.Get(ctx, id)
	return row, notFound(err, "WhatsApp contact")
}

// AddContact adds a WhatsApp contact. A phone number or user id that a school has is a Conflict: it changes its
// school by UpdateContact alone.
func (p *Platform) AddContact(ctx context.Context, by Actor, c Contact) (row *publicdb.WhatsAppContact, err error) {
	if c, err = c.normal(); err != nil {
		return nil, err
	}
	err = p.inTx(ctx, func(tx *publicdb.Client) error {
		owner, err := contactOwner(ctx, tx, c.SchoolID)
		if err != nil {
			return err
		}
		row, err = tx.WhatsAppContact.Create().SetNillablePhone(c.Phone).SetNillableWhatsappUserID(c.WhatsAppUserID).
			SetNillableDisplayName(c.DisplayName).SetSchoolID(c.SchoolID).Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "whatsapp-contact.create", owner, changed(nil, contactFacts(row)))
	})
	return row, err
}

func contactOwner(ctx context.Context, tx *publicdb.Client, id uuid.UUID) (*publicdb.School, error) {
	owner, err := tx.School.Query().Where(school.ID(id), school.StateNEQ(school.StateDeleted)).Only(ctx)
	if publicdb.IsNotFound(err) {
		return nil, fault.Invalid("body.school_id", "There is no such school.")
	}
	return owner, err
}

// UpdateContact changes a WhatsApp contact, its school included: the audit of each of the two tells it.
func (p *Platform) UpdateContact(ctx context.Context, by Actor, id uuid.UUID, edit func(*publicdb.WhatsAppContact) (Contact, error)) (row *publicdb.WhatsAppContact, err error) {
	err = p.changeContact(ctx, id, func(tx *publicdb.Client, old *publicdb.WhatsAppContact) error {
		c, err := edit(old)
		if err != nil {
			return err
		}
		if c, err = c.normal(); err != nil {
			return err
		}
		owner, err := contactOwner(ctx, tx, c.SchoolID)
		if err != nil {
			return err
		}
		if row, err = updateContact(tx, old, c).Save(ctx); err != nil {
			return err
		}
		details := changed(contactFacts(old), contactFacts(row))
		details["changed"] = changedFields(map[string][2]*string{
			"phone": {old.Phone, row.Phone}, "whatsapp_user_id": {old.WhatsappUserID, row.WhatsappUserID}, "display_name": {old.DisplayName, row.DisplayName},
		})
		if old.SchoolID != owner.ID {
			before, err := tx.School.Get(ctx, old.SchoolID)
			if err != nil {
				return err
			}
			if err := audit(ctx, tx, by, "whatsapp-contact.update", before, details); err != nil {
				return err
			}
		}
		return audit(ctx, tx, by, "whatsapp-contact.update", owner, details)
	})
	return row, err
}

// updateContact sets or clears each column: ent would write one of which both is asked twice.
func updateContact(tx *publicdb.Client, old *publicdb.WhatsAppContact, c Contact) *publicdb.WhatsAppContactUpdateOne {
	update := tx.WhatsAppContact.UpdateOne(old).SetSchoolID(c.SchoolID).
		SetNillablePhone(c.Phone).SetNillableWhatsappUserID(c.WhatsAppUserID).SetNillableDisplayName(c.DisplayName)
	if c.Phone == nil {
		update.ClearPhone()
	}
	if c.WhatsAppUserID == nil {
		update.ClearWhatsappUserID()
	}
	if c.DisplayName == nil {
		update.ClearDisplayName()
	}
	return update
}

// RemoveContact removes a WhatsApp contact. check may refuse, given the row as it is then.
func (p *Platform) RemoveContact(ctx context.Context, by Actor, id uuid.UUID, check func(*publicdb.WhatsAppContact) error) error {
	return p.changeContact(ctx, id, func(tx *publicdb.Client, row *publicdb.WhatsAppContact) error {
		if err := check(row); err != nil {
			return err
		}
		owner, err := tx.School.Get(ctx, row.SchoolID)
		if err != nil {
			return err
		}
		if err := tx.WhatsAppContact.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return audit(ctx, tx, by, "whatsapp-contact.delete", owner, changed(contactFacts(row), nil))
	})
}

func (p *Platform) changeContact(ctx context.Context, id uuid.UUID, do func(*publicdb.Client, *publicdb.WhatsAppContact) error) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err := tx.WhatsAppContact.Query().Where(whatsappcontact.ID(id)).ForUpdate().Only(ctx)
		if err != nil {
			return notFound(err, "WhatsApp contact")
		}
		return do(tx, row)
	})
}
