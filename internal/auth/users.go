package auth

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/loginlimit"
	"github.com/homeroom-sms/homeroom/ent/tenant/refreshtoken"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
)

// Users returns the book of one school, for a request that comes from origin.
func Users(db *tenantdb.Client, schoolID uuid.UUID, origin Origin) Book {
	return users{db, schoolID, origin}
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
