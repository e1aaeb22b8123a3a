package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
)

const (
	issuer           = "homeroom"
	platformAudience = "platform"
	schoolAudience   = "school:" // before the school's id
)

// Tokens signs and checks access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037). A token
// is bound to the platform or to one school by its audience, never by a hostname.
type Tokens struct {
	key      ed25519.PrivateKey
	keyID    string
	seeds    [][]byte                     // of all keys, the one that signs first
	keys     map[string]ed25519.PublicKey // all that verify, by key id
	now      func() time.Time
	parser   *jwt.Parser
	verified *otter.Cache[[sha256.Size]byte, verified] // by the token's digest
}

// verified is what a token with a good signature says. To check one anew costs more than all else of
// a small request; whether it has ended and which school it is of is asked each time.
type verified struct {
	platform  bool
	school    uuid.UUID
	principal Principal
	expires   time.Time
}

// mostVerified bounds how many tokens are remembered.
const mostVerified = 10_000

// NewTokens returns the tokens signed with the key that grows from seed, 32 random bytes. Those that
// were signed with one of the older keys are good too.
func NewTokens(seed []byte, now func() time.Time, older ...[]byte) (*Tokens, error) {
	t := &Tokens{
		now: now, seeds: append([][]byte{seed}, older...), keys: map[string]ed25519.PublicKey{},
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer),
			jwt.WithExpirationRequired(), jwt.WithTimeFunc(now)),
		verified: otter.Must(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: mostVerified}),
	}
	for i, seed := range t.seeds {
		if len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("a signing key has %d bytes, not %d", ed25519.SeedSize, len(seed))
		}
		key := ed25519.NewKeyFromSeed(seed)
		public, _ := key.Public().(ed25519.PublicKey)
		id := keyID(public)
		t.keys[id] = public
		if i == 0 {
			t.key, t.keyID = key, id
		}
	}
	return t, nil
}

// keyID names a key in the header of the tokens that it signs.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

type claims struct {
	jwt.RegisteredClaims
	Role string `json:"role"`
}

// ForSchool returns a token that lets its bearer act in one school with the given role, and when
// it ends.
func (t *Tokens) ForSchool(schoolID uuid.UUID, p Principal, lifetime time.Duration) (string, time.Time, error) {
	return t.sign(schoolAudience+schoolID.String(), p, lifetime)
}

// ForPlatform returns a token that lets its bearer act on the platform, and when it ends.
func (t *Tokens) ForPlatform(p Principal, lifetime time.Duration) (string, time.Time, error) {
	return t.sign(platformAudience, p, lifetime)
}

func (t *Tokens) sign(audience string, p Principal, lifetime time.Duration) (string, time.Time, error) {
	now := t.now()
	expires := now.Add(lifetime).UTC().Truncate(time.Second)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		jwt.RegisteredClaims{
			Issuer: issuer, Subject: p.Name, Audience: jwt.ClaimStrings{audience}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		}, p.Role,
	})
	token.Header["kid"] = t.keyID
	text, err := token.SignedString(t.key)
	return text, expires, err
}

// BySchoolToken returns the principal of a token of this very school; any other token, one of
// another school or of the platform included, is Unauthenticated.
func (t *Tokens) BySchoolToken(schoolID uuid.UUID, token string) (Principal, error) {
	known, err := t.known(token)
	if err != nil {
		return Principal{}, err
	}
	if known.platform || known.school != schoolID {
		return Principal{}, refused()
	}
	return known.principal, nil
}

// ByPlatformToken returns the principal of a token of the platform; any other token is
// Unauthenticated.
func (t *Tokens) ByPlatformToken(token string) (Principal, error) {
	known, err := t.known(token)
	if err != nil {
		return Principal{}, err
	}
	if !known.platform {
		return Principal{}, refused()
	}
	return known.principal, nil
}

// known checks a token, once, and that it has not ended.
func (t *Tokens) known(token string) (verified, error) {
	digest := sha256.Sum256([]byte(token))
	known, ok := t.verified.GetIfPresent(digest)
	if !ok {
		var err error
		if known, err = t.verify(token); err != nil {
			return verified{}, refused().Because(err)
		}
		t.verified.Set(digest, known)
	}
	if !t.now().Before(known.expires) {
		return verified{}, refused()
	}
	return known, nil
}

// verify checks a token's signature and form. It must be meant for the platform or for just one school.
func (t *Tokens) verify(token string) (verified, error) {
	var c claims
	if _, err := t.parser.ParseWithClaims(token, &c, t.verifier); err != nil {
		return verified{}, err
	}
	if len(c.Audience) != 1 {
		return verified{}, jwt.ErrTokenInvalidAudience
	}
	out := verified{principal: Principal{Name: c.Subject, Role: c.Role}, expires: c.ExpiresAt.Time}
	if c.Audience[0] == platformAudience {
		out.platform = true
		return out, nil
	}
	id, ok := strings.CutPrefix(c.Audience[0], schoolAudience)
	school, err := uuid.Parse(id)
	if !ok || err != nil {
		return verified{}, jwt.ErrTokenInvalidAudience
	}
	out.school = school
	return out, nil
}

func (t *Tokens) verifier(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	if key, ok := t.keys[id]; ok {
		return key, nil
	}
	return nil, jwt.ErrTokenUnverifiable
}
