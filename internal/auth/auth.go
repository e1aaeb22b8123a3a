// Package auth turns a credential into a Principal and says what a principal may do.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
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
	Name string // for the audit: kind and id, such as api-key:0192…
	Role string
}

// refused is the one answer to every credential that does not count: which part was wrong is
// nobody's business.
func refused() *fault.Error {
	return fault.New(fault.Unauthenticated, "A valid API key or access token is needed.")
}

const keyPrefix = "hr_"

// Key is a new API key. Its token is shown once; only the hash of its secret is kept.
type Key struct {
	ID    uuid.UUID
	Token string
	Hash  []byte
}

var secretEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewKey makes an API key of the form hr_<id>_<160 random bits>.
func NewKey(id uuid.UUID) Key {
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret := strings.ToLower(secretEncoding.EncodeToString(random))
	hash := sha256.Sum256([]byte(secret))
	return Key{ID: id, Token: keyPrefix + strings.ReplaceAll(id.String(), "-", "") + "_" + secret, Hash: hash[:]}
}

// ByKey returns the principal of an API key of the platform. An unknown, revoked or expired key is
// Unauthenticated.
func ByKey(ctx context.Context, db *publicdb.Client, token string, now time.Time) (Principal, error) {
	idText, secret, ok := strings.Cut(strings.TrimPrefix(token, keyPrefix), "_")
	id, err := uuid.Parse(idText)
	if !ok || err != nil || len(idText) != 32 || !strings.HasPrefix(token, keyPrefix) {
		return Principal{}, refused()
	}
	key, err := db.APIKey.Get(ctx, id)
	if publicdb.IsNotFound(err) {
		return Principal{}, refused()
	}
	if err != nil {
		return Principal{}, err
	}
	hash := sha256.Sum256([]byte(secret))
	switch {
	case subtle.ConstantTimeCompare(hash[:], key.SecretHash) != 1,
		key.RevokedAt != nil,
		key.ExpiresAt != nil && !key.ExpiresAt.After(now):
		return Principal{}, refused()
	}
	if key.LastUsedAt == nil || now.Sub(*key.LastUsedAt) > time.Minute {
		// Without updated_at: being used is no change of the key, and must not hide one made just now.
		err := db.APIKey.Update().Where(apikey.ID(id), apikey.UpdatedAt(key.UpdatedAt)).
			SetLastUsedAt(now).SetUpdatedAt(key.UpdatedAt).Exec(ctx)
		if err != nil {
			return Principal{}, err
		}
	}
	return Principal{Name: "api-key:" + id.String(), Role: key.Role.String()}, nil
}
