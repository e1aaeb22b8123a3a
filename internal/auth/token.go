package auth

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const issuer = "homeroom"

// Tokens signs and checks access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037). A token
// is bound to one school by its audience, never by a hostname.
type Tokens struct {
	key ed25519.PrivateKey
	now func() time.Time
}

// NewTokens returns the tokens signed with the key that grows from seed, 32 random bytes.
func NewTokens(seed []byte, now func() time.Time) (*Tokens, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("a signing key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	return &Tokens{ed25519.NewKeyFromSeed(seed), now}, nil
}

type claims struct {
	jwt.RegisteredClaims
	Role string `json:"role"`
}

// ForSchool returns a token that lets its bearer act in one school with the given role, and when
// it ends.
func (t *Tokens) ForSchool(schoolID uuid.UUID, p Principal, lifetime time.Duration) (string, time.Time, error) {
	now := t.now()
	expires := now.Add(lifetime).UTC().Truncate(time.Second)
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		jwt.RegisteredClaims{
			Issuer: issuer, Subject: p.Name, Audience: jwt.ClaimStrings{audience(schoolID)}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		}, p.Role,
	}).SignedString(t.key)
	return token, expires, err
}

// BySchoolToken returns the principal of a token of this very school; any other token, one of
// another school included, is Unauthenticated.
func (t *Tokens) BySchoolToken(schoolID uuid.UUID, token string) (Principal, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key.Public(), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience(schoolID)),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(t.now))
	if err != nil {
		return Principal{}, refused().Because(err)
	}
	return Principal{Name: c.Subject, Role: c.Role}, nil
}

func audience(schoolID uuid.UUID) string { return "school:" + schoolID.String() }
