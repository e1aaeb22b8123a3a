package platform

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/mixin"
	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/apikey"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/keyset"
)

// NewKey is what an API key is created from.
type NewKey struct {
	Name      string
	Role      string
	Scopes    []string   // none for everything of the role
	ExpiresAt *time.Time // nil for never
}

// check also brings the key to its normal form.
func (n *NewKey) check(now time.Time) error {
	if faults := append(checkName(n.Name), checkScopes(n.Scopes, n.Role)...); faults != nil {
		return invalid(faults)
	}
	n.Scopes = slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
	if n.ExpiresAt != nil {
		stored := n.ExpiresAt.UTC().Truncate(time.Microsecond)
		if n.ExpiresAt = &stored; !stored.After(now) {
			return fault.Invalid("body.expires_at", "This time has passed.")
		}
	}
	return nil
}

func checkScopes(scopes []string, role string) (faults []fault.Field) {
	for i, scope := range scopes {
		location, roles := fmt.Sprintf("body.scopes[%d]", i), auth.ScopeRoles(scope)
		if roles == nil {
			faults = append(faults, fault.Field{Location: location, Message: "This is one of " + strings.Join(auth.RoleScopes(auth.RoleOwner), ", ") + "."})
		} else if !slices.Contains(roles, role) {
			faults = append(faults, fault.Field{Location: location, Message: fmt.Sprintf("This takes the role %s; the key's is %s.", strings.Join(roles, " or "), role)})
		}
	}
	return faults
}

// CreateKey makes an API key of the platform and returns its token, which can't be read again. An actor with
// scopes gives it none but those.
func (p *Platform) CreateKey(ctx context.Context, by Actor, n NewKey) (row *publicdb.APIKey, token string, err error) {
	if err := n.check(p.now()); err != nil {
		return nil, "", err
	}
	if len(by.Scopes) > 0 && len(n.Scopes) == 0 {
		return nil, "", fault.New(fault.Forbidden, "This API key has scopes, so a key that it makes needs some of them too.")
	}
	if err := by.mayGive(n.Scopes); err != nil {
		return nil, "", err
	}
	key := auth.NewKey(mixin.NewID())
	err = p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err = tx.APIKey.Create().SetID(key.ID).SetName(n.Name).SetRole(apikey.Role(n.Role)).SetScopes(append([]string{}, n.Scopes...)).SetSecretHash(key.Hash).SetNillableExpiresAt(n.ExpiresAt).Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "api-key.create", nil, changed(nil, keyFacts(row)))
	})
	return row, key.Token, err
}

// mayGive refuses an actor who would let somebody do what they may not do themselves.
func (a Actor) mayGive(scopes []string) error {
	for _, scope := range scopes {
		if !a.Scopes.Allow(scope) {
			return fault.New(fault.Forbidden, "This API key does not have the scope %s, so it can't let anybody have it.", scope)
		}
	}
	return nil
}

var keyOrder = keyset.Order[publicdb.APIKey]{
	Keys: []keyset.Key[publicdb.APIKey]{
		{Name: "created_at", Value: func(k *publicdb.APIKey) string { return keyset.Time(k.CreatedAt) }},
		{Name: "name", Value: func(k *publicdb.APIKey) string { return k.Name }},
	},
	ID: func(k *publicdb.APIKey) uuid.UUID { return k.ID },
}

// Keys returns a page of API keys, revoked ones included, and the cursor of the next page.
func (p *Platform) Keys(ctx context.Context, page keyset.Page) ([]*publicdb.APIKey, string, error) {
	return keyset.List(ctx, p.registry.Public().APIKey.Query(), keyOrder, page)
}

// Key returns one API key.
func (p *Platform) Key(ctx context.Context, id uuid.UUID) (*publicdb.APIKey, error) {
	row, err := p.registry.Public().APIKey.Get(ctx, id)
	return row, notFound(err, "API key")
}

// KnownKey returns an API key for whoever shows its token, perhaps from memory: a revocation is heard of at once.
func (p *Platform) KnownKey(ctx context.Context, id uuid.UUID) (*publicdb.APIKey, error) {
	return p.registry.APIKey(ctx, id)
}

// RevokeKey ends an API key at once; its row stays, for the audit. Revoking it again changes nothing.
// check may refuse, given the row as it is at that moment.
func (p *Platform) RevokeKey(ctx context.Context, by Actor, id uuid.UUID, check func(*publicdb.APIKey) error) error {
	return p.inTx(ctx, func(tx *publicdb.Client) error {
		row, err := tx.APIKey.Query().Where(apikey.ID(id)).ForUpdate().Only(ctx)
		if err != nil {
			return notFound(err, "API key")
		}
		if err := check(row); err != nil {
			return err
		}
		if row.RevokedAt != nil {
			return nil
		}
		after, err := tx.APIKey.UpdateOne(row).SetRevokedAt(p.now()).Save(ctx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "api-key.revoke", nil, changed(keyFacts(row), keyFacts(after)))
	})
}
