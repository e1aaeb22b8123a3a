package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Seal encrypts what is to be kept for a while. Only Open with the same signing key and the same secret
// reads it: whoever has the database alone does not.
func (t *Tokens) Seal(secret string, content []byte) ([]byte, error) {
	box, err := t.box(secret)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, content, nil), nil //nolint:gosec // the box makes its own random nonce
}

// Open returns what Seal was given. It fails after the signing key has changed.
func (t *Tokens) Open(secret string, sealed []byte) ([]byte, error) {
	box, err := t.box(secret)
	if err != nil {
		return nil, err
	}
	return box.Open(nil, nil, sealed, nil)
}

func (t *Tokens) box(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, t.key.Seed(), []byte(secret), "homeroom seal", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
