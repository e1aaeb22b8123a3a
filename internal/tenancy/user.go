package tenancy

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
)

// mostUsers bounds how many users of all schools are remembered.
const mostUsers = 50_000

// users are the users of the schools whose records are in the primary database: no change is heard of elsewhere.
type users = rowCache[userKey, tenantdb.User]

func newUsers(m *memory) *users { return newRowCache[userKey, tenantdb.User](m, mostUsers) }

// userKey names a user of a school.
type userKey struct{ school, user uuid.UUID }

// String is what messages call the user.
func (k userKey) String() string { return k.school.String() + " " + k.user.String() }

func parseUserKey(text string) (k userKey, err error) {
	school, user, _ := strings.Cut(text, " ")
	if k.school, err = uuid.Parse(school); err == nil {
		k.user, err = uuid.Parse(user)
	}
	return k, err
}

// User returns the role of a user of the school and whether they are active, no more, or ent's error that there is
// none. While changes are heard, the row may be the one remembered: it is shared, and nobody may change it.
func (t *Tenant) User(ctx context.Context, id uuid.UUID) (*tenantdb.User, error) {
	if t.users == nil {
		return t.readUser(ctx, userKey{t.ID, id})
	}
	return t.users.find(ctx, userKey{t.ID, id}, t.readUser)
}

func (t *Tenant) readUser(ctx context.Context, k userKey) (*tenantdb.User, error) {
	return t.DB.User.Query().Where(user.ID(k.user)).Select(user.FieldRole, user.FieldIsActive).Only(ctx)
}

// ChangeUser is InTx for what changes the role of a user of the school, or switches them off or on. When it returns,
// User of this registry says so; others do within moments.
func (t *Tenant) ChangeUser(ctx context.Context, id uuid.UUID, do func(*tenantdb.Client) error) error {
	if t.users == nil {
		return InTx(ctx, t.DB, do)
	}
	k := userKey{t.ID, id}
	defer t.users.keyChanged(k) // whatever came of it: nobody may know
	return InTx(ctx, t.DB, func(tx *tenantdb.Client) error {
		if err := do(tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, "user "+k.String()); err != nil {
			return fmt.Errorf("announcing the change of a user: %w", err)
		}
		return nil
	})
}
