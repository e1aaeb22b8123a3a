package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// PasswordHash is a password as it is stored: argon2id (RFC 9106) in PHC's string format.
type PasswordHash string

// cost is what a hash takes to compute.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// What a new hash costs: 25 ms of a processor. Hashes that cost less are made anew at the next login.
var current = cost{memory: 19 * 1024, passes: 2, threads: 1}

// lower reports whether a hash of this cost is to be made anew.
func (c cost) lower() bool { return c.memory < current.memory || c.passes < current.passes }

const (
	saltBytes = 16
	hashBytes = 32
	// hashWait is how long a login waits for its turn: longer, and the queue would only grow.
	hashWait = 3 * time.Second
)

// nobodysHash is what the password of an account that nobody can log in to is compared with, so that
// the answer takes as long as another. No password leads to it.
var nobodysHash = phc(current, make([]byte, saltBytes), make([]byte, hashBytes))

// Passwords computes hashes, only so many at once: each takes 19 MiB and a processor.
type Passwords struct {
	turns  chan struct{}
	derive func(password, salt []byte, passes, memory uint32, threads uint8, length uint32) []byte
}

// NewPasswords returns the hashing of a process.
func NewPasswords() *Passwords {
	return &Passwords{turns: make(chan struct{}, runtime.GOMAXPROCS(0)), derive: argon2.IDKey}
}

// Hash returns the hash of a new password of the person with these names: e-mail address, full name. One that is
// too easy to guess is InvalidInput at location.
func (p *Passwords) Hash(ctx context.Context, location, password string, names ...string) (PasswordHash, error) {
	if weakness := weakness(password, names); weakness != "" {
		return "", fault.Invalid(location, "%s", weakness)
	}
	return p.hash(ctx, password)
}

func (p *Passwords) hash(ctx context.Context, password string) (PasswordHash, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key, err := p.key(ctx, password, salt, current)
	return phc(current, salt, key), err
}

// verify reports whether a password is the one of the hash.
func (p *Passwords) verify(ctx context.Context, hash PasswordHash, password string) (matches bool, c cost, err error) {
	c, salt, want, err := parsePHC(hash)
	if err != nil {
		return false, c, err
	}
	got, err := p.key(ctx, password, salt, c)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, c, err
}

func (p *Passwords) key(ctx context.Context, password string, salt []byte, c cost) ([]byte, error) {
	wait := time.NewTimer(hashWait)
	defer wait.Stop()
	select {
	case p.turns <- struct{}{}:
	case <-wait.C:
		return nil, &fault.Error{Kind: fault.RateLimited, Message: "Too many people log in at this moment. Try again.", RetryAfter: hashWait}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.turns }()
	return p.derive([]byte(norm.NFKC.String(password)), salt, c.passes, c.memory, c.threads, hashBytes), nil
}

var phcEncoding = base64.RawStdEncoding

func phc(c cost, salt, key []byte) PasswordHash {
	return PasswordHash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.passes, c.threads,
		phcEncoding.EncodeToString(salt), phcEncoding.EncodeToString(key)))
}

var errHash = errors.New("a stored password hash is not of the form $argon2id$v=19$m=,t=,p=$salt$hash")

// parsePHC reads a hash that this program made, perhaps when it cost something else.
func parsePHC(hash PasswordHash) (c cost, salt, key []byte, err error) {
	parts := strings.Split(string(hash), "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); err != nil {
		return c, nil, nil, errHash
	}
	salt, err = phcEncoding.DecodeString(parts[4])
	if err == nil {
		key, err = phcEncoding.DecodeString(parts[5])
	}
	const most = 1 << 20 // 1 GiB: what the row asks for is allocated
	if err != nil || len(key) != hashBytes || c.passes == 0 || c.threads == 0 || c.memory > most {
		return c, nil, nil, errHash
	}
	return c, salt, key, nil
}
