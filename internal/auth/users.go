package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/loginlimit"
	"github.com/homeroom-sms/homeroom/ent/tenant/refreshtoken"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Users returns the book of one school, for a request that comes from origin.
func Users(db *tenantdb.Client, schoolID uuid.UUID, origin Origin) Book {
	return users{db, schoolID, origin}
}

// FindUser returns the role of a user of a school and whether they are active, or ent's error that there is none. It
// may know the row from before, as long as no change of these two is missed.
type FindUser = func(ctx context.Context, id uuid.UUID) (*tenantdb.User, error)

// ByUser returns who bears a token of a school as the school knows them now. A user has the role of their row; one
// who is unknown or switched off is Unauthenticated. Somebody of the platform is no user, and comes back as they are.
func ByUser(ctx context.Context, find FindUser, bearer Principal) (Principal, error) {
	id, ok := bearer.User()
	if !ok {
		return bearer, nil
	}
	a, err := userAccount(find(ctx, id))
	if errors.Is(err, errNone) || err == nil && !a.isActive {
		return Principal{}, refused()
	}
	return Principal{Name: bearer.Name, Role: a.role}, err
}

type users struct {
	db     *tenantdb.Client
	school uuid.UUID
	origin Origin
}

func (u users) inTx(ctx context.Context, do func(Book) error) error {
	tx, err := u.db.Tx(ctx)
	if err != nil {
		return err
	}
	return within(tx, func() error { return do(users{tx.Client(), u.school, u.origin}) })
}

func (u users) accessToken(tokens *Tokens, a account) (string, time.Time, error) {
	return tokens.ForSchool(u.school, Principal{Name: userActor + a.id.String(), Role: a.role}, accessLifetime)
}

func (u users) note(ctx context.Context, event string, id uuid.UUID) error {
	d := Deed{Origin: u.origin, Actor: "nobody", Action: "user." + event}
	if id != uuid.Nil {
		d.Actor, d.Details = userActor+id.String(), map[string]any{"user": id}
	}
	return d.Record(ctx, u.db)
}

func (u users) byEmail(ctx context.Context, email string) (account, error) {
	return userAccount(u.db.User.Query().Where(user.Email(email)).Only(ctx))
}

func (u users) lock(ctx context.Context, id uuid.UUID) (account, error) {
	return userAccount(u.db.User.Query().Where(user.ID(id)).ForUpdate().Only(ctx))
}

func userAccount(row *tenantdb.User, err error) (account, error) {
	if tenantdb.IsNotFound(err) {
		return account{}, errNone
	}
	if err != nil {
		return account{}, err
	}
	a := account{id: row.ID, role: row.Role.String(), isActive: row.IsActive, updated: row.UpdatedAt}
	if row.PasswordHash != nil {
		a.hash = PasswordHash(*row.PasswordHash)
	}
	return a, nil
}

func (u users) entered(ctx context.Context, a account, now time.Time, hash PasswordHash) error {
	// Without updated_at: a login is no change of the account.
	return u.db.User.Update().Where(user.ID(a.id)).SetLastLoginAt(now).SetPasswordHash(string(hash)).
		SetUpdatedAt(a.updated).Exec(ctx)
}

func (u users) refresh(ctx context.Context, id uuid.UUID) (refresh, error) {
	row, err := u.db.RefreshToken.Get(ctx, id)
	if tenantdb.IsNotFound(err) {
		return refresh{}, errNone
	}
	if err != nil {
		return refresh{}, err
	}
	return refresh{
		id: row.ID, family: row.Family, account: row.UserID, hash: row.SecretHash, expires: row.ExpiresAt,
		used: row.UsedAt != nil, revoked: row.RevokedAt != nil,
	}, nil
}

func (u users) addRefresh(ctx context.Context, r refresh, hash []byte) error {
	return u.db.RefreshToken.Create().SetID(r.id).SetFamily(r.family).SetUserID(r.account).SetSecretHash(hash).
		SetExpiresAt(r.expires).SetNillableAddress(text(r.address)).Exec(ctx)
}

func (u users) useRefresh(ctx context.Context, id uuid.UUID, now time.Time) error {
	return u.db.RefreshToken.UpdateOneID(id).SetUsedAt(now).Exec(ctx)
}

func (u users) revoke(ctx context.Context, family uuid.UUID, now time.Time) error {
	return u.db.RefreshToken.Update().Where(refreshtoken.Family(family), refreshtoken.RevokedAtIsNil()).SetRevokedAt(now).Exec(ctx)
}

func (u users) limit(ctx context.Context, subject []byte, anew limit) (limit, error) {
	err := u.db.LoginLimit.Create().SetSubject(subject).SetAttempts(anew.attempts).SetEndsAt(anew.ends).
		OnConflict(sql.ConflictColumns(loginlimit.FieldSubject)).Ignore().Exec(ctx)
	if err != nil {
		return limit{}, err
	}
	row, err := u.db.LoginLimit.Query().Where(loginlimit.Subject(subject)).Only(ctx)
	if err != nil {
		return limit{}, err
	}
	return limit{row.Attempts, row.EndsAt}, nil
}

func (u users) setLimit(ctx context.Context, subject []byte, l limit) error {
	return u.db.LoginLimit.Update().Where(loginlimit.Subject(subject)).SetAttempts(l.attempts).SetEndsAt(l.ends).Exec(ctx)
}

// UserChange is what of a user of a school may be changed.
type UserChange struct {
	Email    string
	FullName string
	Role     string
	IsActive bool
}

// check also brings the change to its normal form.
func (c *UserChange) check() (err error) {
	if c.FullName, err = FullName("body.full_name", c.FullName); err != nil {
		return err
	}
	c.Email, err = Email("body.email", c.Email)
	return err
}

// UpdateUser changes a user of a school, whose rights change with the next request. One who is switched off is out at
// once; an invitation ends then too, and with the e-mail address that it was meant for. The last active admin stays
// one: else it is a Conflict.
func (d *Desk) UpdateUser(ctx context.Context, tx *tenantdb.Client, by Deed, id uuid.UUID, edit func(*tenantdb.User) (UserChange, error)) (*tenantdb.User, error) {
	admins, err := tx.User.Query().Where(user.RoleEQ(user.RoleAdmin), user.IsActive(true)).Order(user.ByID()).ForUpdate().All(ctx)
	if err != nil {
		return nil, err
	}
	old, err := lockUser(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	change, err := edit(old)
	if err == nil {
		err = change.check()
	}
	if err != nil {
		return nil, err
	}
	if lastAdmin(old, admins) && (!change.IsActive || change.Role != RoleAdmin) {
		return nil, fault.New(fault.Conflict, "This is the last active admin: another one must have accepted an invitation first.")
	}
	row, err := d.saveUser(ctx, tx, old, change)
	if err != nil {
		return nil, err
	}
	by.Action, by.Details = "user.update", userChanged(old, row)
	return row, by.Record(ctx, tx)
}

func (d *Desk) saveUser(ctx context.Context, tx *tenantdb.Client, old *tenantdb.User, to UserChange) (*tenantdb.User, error) {
	update := tx.User.UpdateOne(old).SetEmail(to.Email).SetFullName(to.FullName).SetRole(user.Role(to.Role)).SetIsActive(to.IsActive)
	if !to.IsActive || to.Email != old.Email {
		update.ClearInviteHash().ClearInviteExpiresAt()
	}
	row, err := update.Save(ctx)
	if err != nil || row.IsActive {
		return row, err
	}
	return row, signOutUser(ctx, tx, row.ID, d.now())
}

// lastAdmin reports whether a user is an active admin whom none of the active admins could stand in for. Who has a
// password needs another who has one: somebody who was invited may never come.
func lastAdmin(row *tenantdb.User, admins []*tenantdb.User) bool {
	is := func(a *tenantdb.User) bool { return a.ID == row.ID }
	return slices.ContainsFunc(admins, is) && !slices.ContainsFunc(admins, func(a *tenantdb.User) bool {
		return !is(a) && (a.PasswordHash != nil || row.PasswordHash == nil)
	})
}

// lockUser returns a user of a school, who stays as they are until the transaction ends.
func lockUser(ctx context.Context, tx *tenantdb.Client, id uuid.UUID) (*tenantdb.User, error) {
	row, err := tx.User.Query().Where(user.ID(id)).ForUpdate().Only(ctx)
	if tenantdb.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "There is no such user.")
	}
	return row, err
}

// signOutUser ends all that a user of a school is signed in to, but for access tokens that are out already.
func signOutUser(ctx context.Context, tx *tenantdb.Client, id uuid.UUID, now time.Time) error {
	return tx.RefreshToken.Update().Where(refreshtoken.UserID(id), refreshtoken.RevokedAtIsNil()).SetRevokedAt(now).Exec(ctx)
}

// userFacts leave out who the user is.
func userFacts(row *tenantdb.User) map[string]any {
	return map[string]any{"user": row.ID, "role": row.Role, "is_active": row.IsActive}
}

// userChanged is what the audit tells of a change: of personal data which fields changed, no more.
func userChanged(old, row *tenantdb.User) map[string]any {
	changed := []string{}
	if old.Email != row.Email {
		changed = append(changed, "email")
	}
	if old.FullName != row.FullName {
		changed = append(changed, "full_name")
	}
	return map[string]any{"before": userFacts(old), "after": userFacts(row), "changed": changed}
}
