package auth

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// inviteLifetime is how long an invitation may be accepted.
const inviteLifetime = 7 * 24 * time.Hour

// Invitation lets a new user of a school choose a password, once. Only the hash of its secret is kept.
type Invitation struct {
	Key
	Email    string
	FullName string
	Role     string
}

// NewInvitation makes an invitation. A person that can't be invited is InvalidInput at location.email or
// location.full_name.
func NewInvitation(location, email, fullName, role string) (Invitation, error) {
	email, err := Email(location+".email", email)
	if err != nil {
		return Invitation{}, err
	}
	if fullName, err = FullName(location+".full_name", fullName); err != nil {
		return Invitation{}, err
	}
	id, err := uuid.NewV7()
	return Invitation{newSecret(invitePrefix, id), email, fullName, role}, err
}

// Invite adds the user whom an invitation is for.
func Invite(ctx context.Context, db *tenantdb.Client, i Invitation, now time.Time) error {
	return db.User.Create().SetID(i.ID).SetEmail(i.Email).SetFullName(i.FullName).SetRole(user.Role(i.Role)).
		SetInviteHash(i.Hash).SetInviteExpiresAt(now.Add(inviteLifetime)).Exec(ctx)
}

// AddUser invites somebody to a school. An e-mail address that another user has is a Conflict.
func (d *Desk) AddUser(ctx context.Context, tx *tenantdb.Client, by Deed, i Invitation) (*tenantdb.User, error) {
	if err := Invite(ctx, tx, i, d.now()); err != nil {
		return nil, err
	}
	row, err := tx.User.Get(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	by.Action, by.Details = "user.create", map[string]any{"after": userFacts(row)}
	return row, by.Record(ctx, tx)
}

// InviteUser invites a user of a school anew and returns the invitation's token; no former one is good any more. A
// password that the user has stays until they choose another. One who is switched off is a Conflict.
func (d *Desk) InviteUser(ctx context.Context, tx *tenantdb.Client, by Deed, id uuid.UUID) (*tenantdb.User, string, error) {
	row, err := lockUser(ctx, tx, id)
	if err != nil {
		return nil, "", err
	}
	if !row.IsActive {
		return nil, "", fault.New(fault.Conflict, "This user is switched off: switch them on first.")
	}
	made := newSecret(invitePrefix, id)
	row, err = row.Update().SetInviteHash(made.Hash).SetInviteExpiresAt(d.now().Add(inviteLifetime)).Save(ctx)
	if err != nil {
		return nil, "", err
	}
	by.Action, by.Details = "user.invite", map[string]any{"user": id, "until": row.InviteExpiresAt}
	return row, made.Token, by.Record(ctx, tx)
}

// Acceptance is an invitation's token and the password that the invited has chosen.
type Acceptance struct{ Token, Password, Address string }

// badInvitation is the one answer to every invitation that does not count.
func badInvitation() *fault.Error {
	return fault.Invalid("body.token", "This invitation is not good, or not any more. Ask for a new one.")
}

// AcceptInvite gives an invited user of a school the password that they chose, and lets them in; all else that they
// are signed in to ends. An invitation is good once and for 7 days.
func (d *Desk) AcceptInvite(ctx context.Context, b Book, in Acceptance) (pass Pass, err error) {
	school, ok := b.(users)
	id, hash, whole := parseSecret(invitePrefix, in.Token)
	if !ok || !whole {
		return Pass{}, badInvitation()
	}
	row, err := school.db.User.Get(ctx, id)
	if err := checkInvitation(row, err, hash, d.now()); err != nil {
		return Pass{}, err
	}
	password, err := d.Passwords.Hash(ctx, "body.password", in.Password, row.Email, row.FullName)
	if err != nil {
		return Pass{}, err
	}
	err = school.inTx(ctx, func(b Book) error {
		tx := b.(users).db
		// Again, and nobody else can take it now.
		row, err := tx.User.Query().Where(user.ID(id)).ForUpdate().Only(ctx)
		if err := checkInvitation(row, err, hash, d.now()); err != nil {
			return err
		}
		row, err = row.Update().SetPasswordHash(string(password)).ClearInviteHash().ClearInviteExpiresAt().SetLastLoginAt(d.now()).Save(ctx)
		if err != nil {
			return err
		}
		if err := signOutUser(ctx, tx, id, d.now()); err != nil {
			return err
		}
		a, err := userAccount(row, nil)
		if err != nil {
			return err
		}
		if pass, err = d.pass(ctx, b, a, refresh{expires: d.now().Add(refreshLifetime), address: in.Address}); err != nil {
			return err
		}
		return b.note(ctx, eventInvited, a.id)
	})
	return pass, err
}

// checkInvitation says whether a user, or the error of finding one, has an open invitation with this hash.
func checkInvitation(row *tenantdb.User, err error, hash []byte, now time.Time) error {
	switch {
	case tenantdb.IsNotFound(err):
		return badInvitation()
	case err != nil:
		return err
	case row.InviteHash == nil || row.InviteExpiresAt == nil || subtle.ConstantTimeCompare(hash, *row.InviteHash) != 1,
		!now.Before(*row.InviteExpiresAt), !row.IsActive:
		return badInvitation()
	}
	return nil
}
