package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"
)

// What secrets begin with: it says at a glance, to people and to scanners, what leaked.
const (
	keyPrefix     = "hr_"
	refreshPrefix = "hrr_"
	invitePrefix  = "hri_"
)

// Key is a new API key, or another secret of its kind. Its token is shown once; only the hash of its
// secret is kept.
type Key struct {
	ID    uuid.UUID
	Token string
	Hash  []byte
}

var secretEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewKey makes an API key of the form hr_<id>_<160 random bits>.
func NewKey(id uuid.UUID) Key { return newSecret(keyPrefix, id) }

func newSecret(prefix string, id uuid.UUID) Key {
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret := strings.ToLower(secretEncoding.EncodeToString(random))
	hash := sha256.Sum256([]byte(secret))
	return Key{ID: id, Token: prefix + strings.ReplaceAll(id.String(), "-", "") + "_" + secret, Hash: hash[:]}
}

// parseSecret takes a token apart into its id and the hash of its secret.
func parseSecret(prefix, token string) (id uuid.UUID, hash []byte, ok bool) {
	rest, ours := strings.CutPrefix(token, prefix)
	idText, secret, whole := strings.Cut(rest, "_")
	id, err := uuid.Parse(idText)
	sum := sha256.Sum256([]byte(secret))
	return id, sum[:], ours && whole && err == nil && len(idText) == 32
}
