package auth

import "golang.org/x/crypto/argon2"

// Around calls do for each hash; the hash is computed when do calls compute, and costs next to nothing.
func (p *Passwords) Around(do func(compute func())) {
	p.derive = func(password, salt []byte, _, _ uint32, _ uint8, length uint32) (key []byte) {
		do(func() { key = argon2.IDKey(password, salt, 1, 64, 1, length) })
		return key
	}
}

// Cheap returns the hash of a password at less than today's cost, as Around's are computed.
func Cheap(password string) PasswordHash {
	salt := make([]byte, saltBytes)
	c := cost{memory: 64, passes: 1, threads: 1}
	return phc(c, salt, argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, hashBytes))
}

// The limits that the tests count to.
const (
	AttemptsPerAccount = attemptsPerAccount
	AttemptsPerAddress = attemptsPerAddress
	AttemptWindow      = attemptWindow
	RefreshLifetime    = refreshLifetime
	InviteLifetime     = inviteLifetime
	ProviderPause      = providerPause
)
