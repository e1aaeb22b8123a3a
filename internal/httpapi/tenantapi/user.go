package tenantapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/predicate"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// UserCreateInput is whom to invite.
type UserCreateInput struct {
	Email    string    `json:"email" format:"email" minLength:"3" maxLength:"254" example:"ada@example.org" doc:"What the user logs in with, unique in the school; stored in lower case."`
	FullName string    `json:"full_name" minLength:"1" maxLength:"200" example:"Ada Lovelace" doc:"The whole name, as it is written."`
	Role     user.Role `json:"role" enum:"admin,staff,teacher,guardian,student" example:"teacher" doc:"What the user may do: each operation says which roles it is for."`
}

// UserInput is what of a user can be written.
type UserInput struct {
	UserCreateInput
	IsActive bool `json:"is_active" example:"true" doc:"false: is out at once, and can't log in."`
}

// User is a user as it is shown.
type User struct {
	Key
	UserInput
	HasPassword     bool       `json:"has_password" example:"true" doc:"false: has accepted no invitation yet."`
	InviteExpiresAt *time.Time `json:"invite_expires_at" example:"2026-09-08T08:30:00Z" doc:"Until when the invitation may be accepted; null if there is none."`
	LastLoginAt     *time.Time `json:"last_login_at" example:"2026-09-01T08:30:00Z" doc:"With the password."`
	Stamps
}

// InvitedUser is a user with the invitation that was just made.
type InvitedUser struct {
	User
	Invite string `json:"invite" example:"hri_0192f0c1..." doc:"For /auth/accept-invite/, once and within 7 days. It is shown this once."`
}

type userList struct {
	wire.PageInput
	Sort        string            `query:"sort" default:"full_name" enum:"full_name,-full_name,email,-email,created_at,-created_at" doc:"What to sort by; with - before it, in descending order."`
	Search      string            `query:"search" maxLength:"100" example:"lovelace" doc:"Words that must all be found in name or e-mail address."`
	Role        user.Role         `query:"role" enum:"admin,staff,teacher,guardian,student" doc:"Only users of this role."`
	IsActive    wire.OptionalBool `query:"is_active" doc:"Only users who are switched on, or off."`
	HasPassword wire.OptionalBool `query:"has_password" doc:"Only users who have accepted an invitation, or have not."`
}

func (l userList) where() []predicate.User {
	return slices.Concat(
		by(l.Role, user.RoleEQ),
		byBool(l.IsActive, user.IsActive),
		byBool(l.HasPassword, func(has bool) predicate.User {
			if has {
				return user.PasswordHashNotNil()
			}
			return user.PasswordHashIsNil()
		}),
		search[predicate.User](l.Search, user.FieldFullName, user.FieldEmail),
	)
}

var userStore = storeOf(func(db *tenantdb.Client) *tenantdb.UserClient { return db.User }, nil, order(
	func(u *tenantdb.User) uuid.UUID { return u.ID },
	key(user.FieldFullName, func(u *tenantdb.User) string { return u.FullName }),
	key(user.FieldEmail, func(u *tenantdb.User) string { return u.Email }),
))

func userForm(u *tenantdb.User) UserInput {
	return UserInput{UserCreateInput{u.Email, u.FullName, u.Role}, u.IsActive}
}

func showUser(u *tenantdb.User) User {
	return User{Key{u.ID}, userForm(u), u.PasswordHash != nil, utc(u.InviteExpiresAt), utc(u.LastLoginAt), stamps(u.CreatedAt, u.UpdatedAt)}
}

// users are the operations on the school's users, which a desk looks after.
type users struct{ desk *auth.Desk }

func registerUsers(api huma.API, desk *auth.Desk) {
	const all, one = root + "users/", root + "users/{id}/"
	operation := func(id, method, path, summary, description string) huma.Operation {
		return allow(huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, Description: description, Tags: []string{"Users"},
		}, []string{auth.RoleAdmin})
	}
	u := users{desk}
	huma.Register(api, operation("list-users", http.MethodGet, all, "List users", ""), inSchool(u.list))
	create := operation("create-user", http.MethodPost, all, "Create a user",
		"Answers with an invitation, which nobody else is told of: hand it to the user.")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, inSchool(u.create))
	huma.Register(api, operation("get-user", http.MethodGet, one, "Get a user", ""), inSchool(u.get))
	huma.Register(api, operation("update-user", http.MethodPatch, one, "Update a user",
		"Counts from the user's next request on. Who is switched off is logged out everywhere; their invitation ends, as it does with another e-mail address. "+
			"The last active admin stays one: 409, unless another admin has a password."),
		func(ctx context.Context, in *updateInput[UserInput]) (*wire.Item[User], error) {
			return u.update(ctx, tenantOf(ctx), in)
		})
	invite := operation("invite-user", http.MethodPost, one+"invite/", "Invite a user again",
		"Answers with a new invitation, and no former one is good any more. For a user who has a password it is the way to another: "+
			"the old one is good until the invitation is accepted, which logs the user out everywhere else. A user who is switched off can't be invited: 409.")
	invite.DefaultStatus = http.StatusOK
	huma.Register(api, invite, inSchool(u.invite))
}

func (users) list(ctx context.Context, db *tenantdb.Client, in *userList) (*wire.PageOutput[User], error) {
	rows, next, err := userStore.list(ctx, db, page(in.PageInput, in.Sort), in.where())
	if err != nil {
		return nil, err
	}
	items := make([]User, len(rows))
	for i, row := range rows {
		items[i] = showUser(row)
	}
	return wire.NewPage(ctx, items, next), nil
}

func (users) get(ctx context.Context, db *tenantdb.Client, in *wire.IDInput) (*wire.Item[User], error) {
	row, err := userStore.find(ctx, db, in.ID)
	if tenantdb.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "There is no such user.")
	}
	if err != nil {
		return nil, err
	}
	return wire.NewShown(showUser(row), row.UpdatedAt), nil
}

func (u users) create(ctx context.Context, db *tenantdb.Client, in *createInput[UserCreateInput]) (*wire.Created[InvitedUser], error) {
	made, err := auth.NewInvitation("body", in.Body.Email, in.Body.FullName, in.Body.Role.String())
	if err != nil {
		return nil, err
	}
	row, err := inTx(ctx, db, func(tx *tenantdb.Client) (*tenantdb.User, error) { return u.desk.AddUser(ctx, tx, doer(ctx), made) })
	if err != nil {
		return nil, err
	}
	return wire.NewCreated(InvitedUser{showUser(row), made.Token}, row.UpdatedAt, root+"users/"+row.ID.String()+"/"), nil
}

func (u users) update(ctx context.Context, t *tenancy.Tenant, in *updateInput[UserInput]) (*wire.Item[User], error) {
	var row *tenantdb.User
	err := t.ChangeUser(ctx, in.ID, func(tx *tenantdb.Client) (err error) {
		row, err = u.desk.UpdateUser(ctx, tx, doer(ctx), in.ID, func(row *tenantdb.User) (auth.UserChange, error) {
			if err := in.Check(row.UpdatedAt); err != nil {
				return auth.UserChange{}, err
			}
			to, err := in.Body.Apply(userForm(row))
			return auth.UserChange{Email: to.Email, FullName: to.FullName, Role: to.Role.String(), IsActive: to.IsActive}, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return wire.NewShown(showUser(row), row.UpdatedAt), nil
}

func (u users) invite(ctx context.Context, db *tenantdb.Client, in *wire.IDInput) (*wire.Item[InvitedUser], error) {
	var token string
	row, err := inTx(ctx, db, func(tx *tenantdb.Client) (row *tenantdb.User, err error) {
		row, token, err = u.desk.InviteUser(ctx, tx, doer(ctx), in.ID)
		return row, err
	})
	if err != nil {
		return nil, err
	}
	return wire.NewItem(InvitedUser{showUser(row), token}, row.UpdatedAt), nil
}

// inTx returns the row that do makes in one transaction.
func inTx[R any](ctx context.Context, db *tenantdb.Client, do func(*tenantdb.Client) (*R, error)) (row *R, err error) {
	err = tenancy.InTx(ctx, db, func(tx *tenantdb.Client) (err error) {
		row, err = do(tx)
		return err
	})
	return row, err
}
