package auth

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// How often somebody may try in vain, in attemptWindow.
const (
	attemptWindow      = 15 * time.Minute
	attemptsPerAccount = 10
	attemptsPerAddress = 50
)

// attempt is one try at an account, known or not, from an address. It is counted before the password is
// looked at, so that a flood computes no more hashes than the limits allow, and given back if it was
// right.
type attempt struct{ account, address []byte }

func attemptOf(email, address string) attempt {
	return attempt{subject("account:" + email), subject("address:" + network(address))}
}

func subject(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// network is an address, of IPv6 the network that one customer usually has.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	prefix, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// count counts the attempt, or refuses it. The address comes first, always: two attempts that wait for each
// other's count would never end.
func (t attempt) count(ctx context.Context, b Book, now time.Time) error {
	return b.inTx(ctx, func(b Book) error {
		if err := countOne(ctx, b, t.address, attemptsPerAddress, now); err != nil {
			return err
		}
		return countOne(ctx, b, t.account, attemptsPerAccount, now)
	})
}

func countOne(ctx context.Context, b Book, subject []byte, most int, now time.Time) error {
	anew := limit{ends: now.Add(attemptWindow)}
	l, err := b.limit(ctx, subject, anew)
	if err != nil {
		return err
	}
	if !now.Before(l.ends) {
		l = anew
	}
	if l.attempts >= most {
		return &fault.Error{Kind: fault.RateLimited, Message: "There were too many attempts to log in. Try again later.", RetryAfter: l.ends.Sub(now)}
	}
	l.attempts++
	return b.setLimit(ctx, subject, l)
}

// forgive gives back an attempt that was right: the address had one in vain less, the account none.
func (t attempt) forgive(ctx context.Context, b Book, now time.Time) error {
	anew := limit{ends: now.Add(attemptWindow)}
	l, err := b.limit(ctx, t.address, anew)
	if err != nil {
		return err
	}
	l.attempts = max(0, l.attempts-1)
	if err := b.setLimit(ctx, t.address, l); err != nil {
		return err
	}
	return b.setLimit(ctx, t.account, anew)
}
