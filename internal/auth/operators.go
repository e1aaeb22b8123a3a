package auth

import (
	"context"
	"errors"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/loginlimit"
	"github.com/homeroom-sms/homeroom/ent/public/operator"
	"github.com/homeroom-sms/homeroom/ent/public/refreshtoken"
)

// Note records an event of an operator's account, that with the zero id if there is none, in the
// transaction of the event itself.
type Note func(ctx context.Context, tx *publicdb.Client, event string, operator uuid.UUID) error

// Operators returns the platform's book.
func Operators(db *publicdb.Client, note Note) Book { return operators{db, note} }

type operators struct {
	db     *publicdb.Client
	record Note
}

func (o operators) inTx(ctx context.Context, do func(Book) error) error {
	tx, err := o.db.Tx(ctx)
	if err != nil {
		return err
	}
	return within(tx, func() error { return do(operators{tx.Client(), o.record}) })
}

func (o operators) accessToken(tokens *Tokens, a account) (string, time.Time, error) {
	return tokens.ForPlatform(OperatorPrincipal(a.id, a.role), accessLifetime)
}

// OperatorPrincipal returns the principal that an operator is.
func OperatorPrincipal(id uuid.UUID, role string) Principal {
	return Principal{Name: operatorActor + id.String(), Role: role}
}

func (o operators) note(ctx context.Context, event string, id uuid.UUID) error {
	return o.record(ctx, o.db, event, id)
}

func (o operators) byEmail(ctx context.Context, email string) (account, error) {
	return operatorAccount(o.db.Operator.Query().Where(operator.Email(email)).Only(ctx))
}

func (o operators) lock(ctx context.Context, id uuid.UUID) (account, error) {
	return operatorAccount(o.db.Operator.Query().Where(operator.ID(id)).ForUpdate().Only(ctx))
}

func operatorAccount(row *publicdb.Operator, err error) (account, error) {
	if publicdb.IsNotFound(err) {
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

func (o operators) entered(ctx context.Context, a account, now time.Time, hash PasswordHash) error {
	// Without updated_at: a login is no change of the account.
	return o.db.Operator.Update().Where(operator.ID(a.id)).SetLastLoginAt(now).SetPasswordHash(string(hash)).
		SetUpdatedAt(a.updated).Exec(ctx)
}

func (o operators) refresh(ctx context.Context, id uuid.UUID) (refresh, error) {
	row, err := o.db.RefreshToken.Get(ctx, id)
	if publicdb.IsNotFound(err) {
		return refresh{}, errNone
	}
	if err != nil {
		return refresh{}, err
	}
	return refresh{
		id: row.ID, family: row.Family, account: row.OperatorID, hash: row.SecretHash, expires: row.ExpiresAt,
		used: row.UsedAt != nil, revoked: row.RevokedAt != nil,
	}, nil
}

func (o operators) addRefresh(ctx context.Context, r refresh, hash []byte) error {
	return o.db.RefreshToken.Create().SetID(r.id).SetFamily(r.family).SetOperatorID(r.account).SetSecretHash(hash).
		SetExpiresAt(r.expires).SetNillableAddress(text(r.address)).Exec(ctx)
}

func (o operators) useRefresh(ctx context.Context, id uuid.UUID, now time.Time) error {
	return o.db.RefreshToken.UpdateOneID(id).SetUsedAt(now).Exec(ctx)
}

func (o operators) revoke(ctx context.Context, family uuid.UUID, now time.Time) error {
	return o.db.RefreshToken.Update().Where(refreshtoken.Family(family), refreshtoken.RevokedAtIsNil()).SetRevokedAt(now).Exec(ctx)
}

// SignOut ends all that an operator is signed in to, but for access tokens that are out already.
func SignOut(ctx context.Context, tx *publicdb.Client, operator uuid.UUID, now time.Time) error {
	return tx.RefreshToken.Update().Where(refreshtoken.OperatorID(operator), refreshtoken.RevokedAtIsNil()).SetRevokedAt(now).Exec(ctx)
}

func (o operators) limit(ctx context.Context, subject []byte, anew limit) (limit, error) {
	err := o.db.LoginLimit.Create().SetSubject(subject).SetAttempts(anew.attempts).SetEndsAt(anew.ends).
		OnConflict(sql.ConflictColumns(loginlimit.FieldSubject)).Ignore().Exec(ctx)
	if err != nil {
		return limit{}, err
	}
	row, err := o.db.LoginLimit.Query().Where(loginlimit.Subject(subject)).Only(ctx)
	if err != nil {
		return limit{}, err
	}
	return limit{row.Attempts, row.EndsAt}, nil
}

func (o operators) setLimit(ctx context.Context, subject []byte, l limit) error {
	return o.db.LoginLimit.Update().Where(loginlimit.Subject(subject)).SetAttempts(l.attempts).SetEndsAt(l.ends).Exec(ctx)
}

// text is a text that may be missing.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// ByOperator returns the principal of an operator as the row has it now. One who is unknown or switched
// off is Unauthenticated.
func ByOperator(ctx context.Context, db *publicdb.Client, id uuid.UUID) (Principal, error) {
	return principalOf(operatorAccount(db.Operator.Get(ctx, id)))
}

// ByEmail is ByOperator by e-mail address.
func ByEmail(ctx context.Context, db *publicdb.Client, email string) (Principal, error) {
	return principalOf(operators{db: db}.byEmail(ctx, email))
}

func principalOf(a account, err error) (Principal, error) {
	if errors.Is(err, errNone) || err == nil && !a.isActive {
		return Principal{}, refused()
	}
	if err != nil {
		return Principal{}, err
	}
	return OperatorPrincipal(a.id, a.role), nil
}
