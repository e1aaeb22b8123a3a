package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Seal encrypts what is to be kept for a while, with a key made from the one that signs. Only Open with that
// one among its keys and the same secret reads it: whoever has the database alone does not.
func (t *Tokens) Seal(secret string, content []byte) ([]byte, error) {
	box, err := boxOf(t.seeds[0], secret)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, content, nil), nil //nolint:gosec // the box makes its own random nonce
}

// Open returns what Seal was given. It fails once the key that signed then is none of the signing keys.
func (t *Tokens) Open(secret string, sealed []byte) (content []byte, err error) {
	for _, seed := range t.seeds {
		box, wrong := boxOf(seed, secret)
		if wrong != nil {
			return nil, wrong
		}
		if content, err = box.Open(nil, nil, sealed, nil); err == nil {
			return content, nil
		}
	}
	return nil, err
}

func boxOf(seed []byte, secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, seed, []byte(secret), "homeroom seal", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
