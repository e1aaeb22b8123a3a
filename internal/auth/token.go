package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
)

const (
	issuer         = "homeroom"
	audiencePrefix = "school:" // before the school's id
)

// Tokens signs and checks access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037). A token
// is bound to one school by its audience, never by a hostname.
type Tokens struct {
	key      ed25519.PrivateKey
	now      func() time.Time
	parser   *jwt.Parser
	verified *otter.Cache[[sha256.Size]byte, verified] // by the token's digest
}

// verified is what a token with a good signature says. To check one anew costs more than all else of
// a small request; whether it has ended and which school it is of is asked each time.
type verified struct {
	school    uuid.UUID
	principal Principal
	expires   time.Time
}

// mostVerified bounds how many tokens are remembered.
const mostVerified = 10_000

// NewTokens returns the tokens signed with the key that grows from seed, 32 random bytes.
func NewTokens(seed []byte, now func() time.Time) (*Tokens, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("a signing key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	return &Tokens{
		key: ed25519.NewKeyFromSeed(seed), now: now,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer),
			jwt.WithExpirationRequired(), jwt.WithTimeFunc(now)),
		verified: otter.Must(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: mostVerified}),
	}, nil
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
			Issuer: issuer, Subject: p.Name, Audience: jwt.ClaimStrings{audiencePrefix + schoolID.String()}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		}, p.Role,
	}).SignedString(t.key)
	return token, expires, err
}

// BySchoolToken returns the principal of a token of this very school; any other token, one of
// another school included, is Unauthenticated.
func (t *Tokens) BySchoolToken(schoolID uuid.UUID, token string) (Principal, error) {
	digest := sha256.Sum256([]byte(token))
	known, ok := t.verified.GetIfPresent(digest)
	if !ok {
		var err error
		if known, err = t.verify(token); err != nil {
			return Principal{}, refused().Because(err)
		}
		t.verified.Set(digest, known)
	}
	if known.school != schoolID || !t.now().Before(known.expires) {
		return Principal{}, refused()
	}
	return known.principal, nil
}

// verify checks a token's signature and form. It must be meant for just one school.
func (t *Tokens) verify(token string) (verified, error) {
	var c claims
	if _, err := t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key.Public(), nil }); err != nil {
		return verified{}, err
	}
	if len(c.Audience) != 1 {
		return verified{}, jwt.ErrTokenInvalidAudience
	}
	id, ok := strings.CutPrefix(c.Audience[0], audiencePrefix)
	school, err := uuid.Parse(id)
	if !ok || err != nil {
		return verified{}, jwt.ErrTokenInvalidAudience
	}
	return verified{school, Principal{Name: c.Subject, Role: c.Role}, c.ExpiresAt.Time}, nil
}
