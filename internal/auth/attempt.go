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

// attempt is one try at an account, known or not, from an address. It is counted for the account before the
// password is looked at, so that a flood computes no more hashes than the limit allows, and given back
// unless it was wrong; for the address only once it was wrong: those behind one address who know their
// passwords may all come at once.
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

// begin counts the attempt for the account, or refuses it. The address comes first, always: two attempts
// that wait for each other's count would never end.
func (t attempt) begin(ctx context.Context, b Book, now time.Time) error {
	return b.inTx(ctx, func(b Book) error {
		if err := room(ctx, b, t.address, attemptsPerAddress, now); err != nil {
			return err
		}
		if err := room(ctx, b, t.account, attemptsPerAccount, now); err != nil {
			return err
		}
		return add(ctx, b, t.account, 1, now)
	})
}

// wrong counts the attempt for the address too.
func (t attempt) wrong(ctx context.Context, b Book, now time.Time) error {
	return add(ctx, b, t.address, 1, now)
}

// giveBack takes back what begin has counted.
func (t attempt) giveBack(ctx context.Context, b Book, now time.Time) error {
	return b.inTx(ctx, func(b Book) error { return add(ctx, b, t.account, -1, now) })
}

// right begins the account's count anew.
func (t attempt) right(ctx context.Context, b Book, now time.Time) error {
	return b.setLimit(ctx, t.account, limit{ends: now.Add(attemptWindow)})
}

// room refuses an attempt if there were too many.
func room(ctx context.Context, b Book, subject []byte, most int, now time.Time) error {
	l, err := held(ctx, b, subject, now)
	if err == nil && l.attempts >= most {
		return &fault.Error{Kind: fault.RateLimited, Message: "There were too many attempts to log in. Try again later.", RetryAfter: l.ends.Sub(now)}
	}
	return err
}

func add(ctx context.Context, b Book, subject []byte, n int, now time.Time) error {
	l, err := held(ctx, b, subject, now)
	if err != nil {
		return err
	}
	l.attempts = max(0, l.attempts+n)
	return b.setLimit(ctx, subject, l)
}

// held returns the count of a subject, which stays so until the transaction ends.
func held(ctx context.Context, b Book, subject []byte, now time.Time) (limit, error) {
	anew := limit{ends: now.Add(attemptWindow)}
	l, err := b.limit(ctx, subject, anew)
	if !now.Before(l.ends) {
		l = anew
	}
	return l, err
}
