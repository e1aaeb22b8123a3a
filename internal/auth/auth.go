// Package auth turns a credential into a Principal and says what a principal may do.
package auth

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/apikey"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Roles of the platform; a viewer only reads.
const (
	RoleOwner    = "owner"
	RoleOperator = "operator"
	RoleViewer   = "viewer"
)

// Roles of a school.
const (
	RoleAdmin    = "admin"
	RoleStaff    = "staff"
	RoleTeacher  = "teacher"
	RoleGuardian = "guardian"
	RoleStudent  = "student"
)

// Principal is who is asking.
type Principal struct {
	Name   string // for the audit: kind and id, such as api-key:0192…
	Role   string
	Scopes Scopes // an API key's
}

// What stands before the id in a principal's name.
const (
	keyActor      = "api-key:"
	operatorActor = "operator:"
	userActor     = "user:"
)

// Operator returns the id of the operator who is asking; false if it is somebody else.
func (p Principal) Operator() (uuid.UUID, bool) { return p.of(operatorActor) }

// User returns the id of the user of a school who is asking; false if it is somebody else.
func (p Principal) User() (uuid.UUID, bool) { return p.of(userActor) }

// Key returns the id of the API key that asks; false if it is somebody else.
func (p Principal) Key() (uuid.UUID, bool) { return p.of(keyActor) }

func (p Principal) of(kind string) (uuid.UUID, bool) {
	text, ok := strings.CutPrefix(p.Name, kind)
	id, err := uuid.Parse(text)
	return id, ok && err == nil
}

// refused is the one answer to every credential that does not count: which part was wrong is
// nobody's business.
func refused() *fault.Error {
	return fault.New(fault.Unauthenticated, "A valid API key or access token is needed.")
}

// FindKey returns an API key as its row is, or ent's error that there is none.
type FindKey = func(ctx context.Context, id uuid.UUID) (*publicdb.APIKey, error)

// ByKey returns the principal of an API key of the platform, and notes its use in db. An unknown, revoked or
// expired key is Unauthenticated.
func ByKey(ctx context.Context, db *publicdb.Client, find FindKey, token string, now time.Time) (Principal, error) {
	id, hash, ok := parseSecret(keyPrefix, token)
	if !ok {
		return Principal{}, refused()
	}
	key, err := find(ctx, id)
	if publicdb.IsNotFound(err) {
		return Principal{}, refused()
	}
	if err != nil {
		return Principal{}, err
	}
	switch {
	case subtle.ConstantTimeCompare(hash, key.SecretHash) != 1,
		key.RevokedAt != nil,
		key.ExpiresAt != nil && !key.ExpiresAt.After(now):
		return Principal{}, refused()
	}
	if key.LastUsedAt == nil || now.Sub(*key.LastUsedAt) > time.Minute {
		// Without updated_at: being used is no change of the key, and must not hide one made just now. Of many
		// requests at once, one notes it.
		err := db.APIKey.Update().Where(apikey.ID(id), apikey.UpdatedAt(key.UpdatedAt),
			apikey.Or(apikey.LastUsedAtIsNil(), apikey.LastUsedAtLT(now.Add(-time.Minute)))).
			SetLastUsedAt(now).SetUpdatedAt(key.UpdatedAt).Exec(ctx)
		if err != nil {
			return Principal{}, err
		}
	}
	return Principal{Name: keyActor + id.String(), Role: key.Role.String(), Scopes: key.Scopes}, nil
}
