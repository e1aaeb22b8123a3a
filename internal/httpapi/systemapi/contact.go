package systemapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/platform"
)

// WhatsAppContact leads from a WhatsApp user to a school.
type WhatsAppContact struct {
	ID             uuid.UUID `json:"id" format:"uuid"`
	SchoolID       uuid.UUID `json:"school_id" format:"uuid"`
	Phone          *string   `json:"phone" example:"+2348031234567" doc:"E.164."`
	WhatsAppUserID *string   `json:"whatsapp_user_id" example:"NG.1349000000000000" doc:"WhatsApp's own id of the user, who may write without a phone number."`
	DisplayName    *string   `json:"display_name"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

func contactOut(c *publicdb.WhatsAppContact) WhatsAppContact {
	return WhatsAppContact{c.ID, c.SchoolID, c.Phone, c.WhatsappUserID, c.DisplayName, c.CreatedAt, c.UpdatedAt}
}

// WhatsAppContactInput is what of a contact may be given and changed.
type WhatsAppContactInput struct {
	SchoolID       uuid.UUID `json:"school_id" format:"uuid"`
	Phone          *string   `json:"phone,omitempty" minLength:"1" maxLength:"40" example:"+2348031234567" doc:"With + and the code of the country; stored as E.164. This or whatsapp_user_id is needed."`
	WhatsAppUserID *string   `json:"whatsapp_user_id,omitempty" minLength:"1" maxLength:"128" example:"NG.1349000000000000"`
	DisplayName    *string   `json:"display_name,omitempty" minLength:"1" maxLength:"200"`
}

func contactItem(row *publicdb.WhatsAppContact, err error) (*wire.Item[WhatsAppContact], error) {
	if err != nil {
		return nil, err
	}
	return wire.NewItem(contactOut(row), row.UpdatedAt), nil
}

// ContactPath names a contact.
type ContactPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// ContactTarget names a contact that is to be changed.
type ContactTarget struct {
	ContactPath
	wire.IfMatch
}

func (s Service) registerContacts(api huma.API) {
	const tag, all, one = "WhatsApp contacts", "/whatsapp-contacts/", "/whatsapp-contacts/{id}/"
	huma.Register(api, operation("list-whatsapp-contacts", http.MethodGet, all, tag, "List WhatsApp contacts", "whatsapp-contacts:read"),
		func(ctx context.Context, in *struct {
			wire.PageInput
			Sort     string    `query:"sort" enum:"created_at,-created_at" default:"created_at" doc:"With - before the name: descending."`
			SchoolID uuid.UUID `query:"school_id" format:"uuid"`
			Phone    string    `query:"phone" maxLength:"40" example:"+2348031234567" doc:"This number alone, with + and the code of the country."`
			Search   string    `query:"search" maxLength:"200" doc:"In phone and name."`
		},
		) (*wire.PageOutput[WhatsAppContact], error) {
			filter := platform.ContactFilter{Phone: in.Phone, Search: in.Search}
			if in.SchoolID != uuid.Nil {
				filter.SchoolID = &in.SchoolID
			}
			rows, next, err := s.Platform.Contacts(ctx, filter, page(in.PageInput, in.Sort))
			return pageOf(ctx, rows, next, err, contactOut)
		})
	create := operation("create-whatsapp-contact", http.MethodPost, all, tag, "Add a WhatsApp contact", "whatsapp-contacts:write")
	create.Description = "A phone number or user id that a school has already, this one or another, is a 409: to move it to another school, change the contact's school_id."
	huma.Register(api, create,
		func(ctx context.Context, in *struct{ Body WhatsAppContactInput }) (*wire.Created[WhatsAppContact], error) {
			row, err := s.Platform.AddContact(ctx, actor(ctx), newContact(in.Body))
			if err != nil {
				return nil, err
			}
			return wire.NewCreated(contactOut(row), row.UpdatedAt, root+all+row.ID.String()+"/"), nil
		})
	huma.Register(api, operation("get-whatsapp-contact", http.MethodGet, one, tag, "Get a WhatsApp contact", "whatsapp-contacts:read"),
		func(ctx context.Context, in *ContactPath) (*wire.Item[WhatsAppContact], error) {
			return contactItem(s.Platform.Contact(ctx, in.ID))
		})
	huma.Register(api, operation("replace-whatsapp-contact", http.MethodPut, one, tag, "Replace a WhatsApp contact", "whatsapp-contacts:write"),
		func(ctx context.Context, in *struct {
			ContactTarget
			Body WhatsAppContactInput
		},
		) (*wire.Item[WhatsAppContact], error) {
			return s.updateContact(ctx, in.ContactTarget, func(WhatsAppContactInput) (WhatsAppContactInput, error) { return in.Body, nil })
		})
	huma.Register(api, operation("update-whatsapp-contact", http.MethodPatch, one, tag, "Change a WhatsApp contact", "whatsapp-contacts:write"),
		func(ctx context.Context, in *struct {
			ContactTarget
			Body wire.Patch[WhatsAppContactInput]
		},
		) (*wire.Item[WhatsAppContact], error) {
			return s.updateContact(ctx, in.ContactTarget, in.Body.Apply)
		})
	huma.Register(api, operation("delete-whatsapp-contact", http.MethodDelete, one, tag, "Remove a WhatsApp contact", "whatsapp-contacts:write"),
		func(ctx context.Context, in *ContactTarget) (*struct{}, error) {
			return nil, s.Platform.RemoveContact(ctx, actor(ctx), in.ID, func(row *publicdb.WhatsAppContact) error { return in.Check(row.UpdatedAt) })
		})
}

func newContact(in WhatsAppContactInput) platform.Contact {
	return platform.Contact{Phone: in.Phone, WhatsAppUserID: in.WhatsAppUserID, DisplayName: in.DisplayName, SchoolID: in.SchoolID}
}

func (s Service) updateContact(ctx context.Context, c ContactTarget, edit func(WhatsAppContactInput) (WhatsAppContactInput, error)) (*wire.Item[WhatsAppContact], error) {
	return contactItem(s.Platform.UpdateContact(ctx, actor(ctx), c.ID, func(row *publicdb.WhatsAppContact) (platform.Contact, error) {
		if err := c.Check(row.UpdatedAt); err != nil {
			return platform.Contact{}, err
		}
		in, err := edit(WhatsAppContactInput{SchoolID: row.SchoolID, Phone: row.Phone, WhatsAppUserID: row.WhatsappUserID, DisplayName: row.DisplayName})
		return newContact(in), err
	}))
}
