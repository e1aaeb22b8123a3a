package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

const (
	accessLifetime = 10 * time.Minute
	// refreshLifetime is of a family: however busy they are, people show their password once in 30 days
	// (NIST SP 800-63B, section 4.1.3).
	refreshLifetime = 30 * 24 * time.Hour
	// settleTime is what counting an attempt that led nowhere may take.
	settleTime = 5 * time.Second
)

// What a book is told of.
const (
	eventLogin   = "login"
	eventRefused = "login-refused"
	eventLogout  = "logout"
	eventReplay  = "refresh-replayed"
	eventInvited = "invite-accepted"
)

// Desk lets people in, the operators of the platform and the users of schools alike.
type Desk struct {
	Tokens    *Tokens
	Passwords *Passwords
}

// Credentials are what somebody logs in with, and from where.
type Credentials struct{ Email, Password, Address string }

// Pass is what somebody who was let in gets.
type Pass struct {
	AccessToken  string
	AccessEnds   time.Time
	RefreshToken string
	RefreshEnds  time.Time
}

// wrongLogin is the one answer to every login that fails: whether there is such an account is nobody's
// business.
func wrongLogin() *fault.Error {
	return fault.New(fault.Unauthenticated, "The e-mail address or the password is wrong.")
}

// Login lets in whoever knows an account's password. Accounts that are unknown, switched off or without a
// password go the same way as a wrong password: the same queries, one hash, the same answer. After too
// many attempts it is RateLimited.
func (d *Desk) Login(ctx context.Context, b Book, c Credentials) (pass Pass, err error) {
	err = d.identify(ctx, b, c, func(b Book, a account) (err error) {
		if pass, err = d.pass(ctx, b, a, refresh{expires: d.now().Add(refreshLifetime), address: c.Address}); err != nil {
			return err
		}
		return b.note(ctx, eventLogin, a.id)
	})
	return pass, err
}

// Confirm is Login for somebody who is in already: it says whether they know their password.
func (d *Desk) Confirm(ctx context.Context, b Book, c Credentials) error {
	return d.identify(ctx, b, c, func(Book, account) error { return nil })
}

// identify calls do, in a transaction in which the account stays as it is, if the credentials are right.
func (d *Desk) identify(ctx context.Context, b Book, c Credentials, do func(Book, account) error) error {
	email, err := Email("body.email", c.Email)
	if err != nil {
		return err
	}
	t := attemptOf(email, c.Address)
	if err := t.begin(ctx, b, d.now()); err != nil {
		return err
	}
	known, err := b.byEmail(ctx, email)
	if err == nil || errors.Is(err, errNone) {
		err = d.enter(ctx, b, t, known, c.Password, do)
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime) // also for those who have left
	defer cancel()
	if !errors.Is(err, errMismatch) {
		return errors.Join(err, t.giveBack(ctx, b, d.now()))
	}
	err = b.inTx(ctx, func(b Book) error {
		if err := t.wrong(ctx, b, d.now()); err != nil {
			return err
		}
		return b.note(ctx, eventRefused, known.id)
	})
	return cmp.Or[error](err, wrongLogin())
}

// enter calls do, in a transaction in which the account stays as it is, if the password is its own, else it
// returns errMismatch.
func (d *Desk) enter(ctx context.Context, b Book, t attempt, known account, password string, do func(Book, account) error) error {
	hash, err := d.match(ctx, known, password)
	if err != nil {
		return err
	}
	return b.inTx(ctx, func(b Book) error {
		a, err := b.lock(ctx, known.id)
		if errors.Is(err, errNone) || err == nil && (!a.isActive || a.hash != known.hash) {
			return wrongLogin()
		}
		if err != nil {
			return err
		}
		if err := b.entered(ctx, a, d.now(), hash); err != nil {
			return err
		}
		if err := t.right(ctx, b, d.now()); err != nil {
			return err
		}
		return do(b, a)
	})
}

var errMismatch = errors.New("the password is not that of the account")

// match returns the hash that an account is to have from now on if the password is its own, else
// errMismatch. An account that nobody can log in to costs a hash too.
func (d *Desk) match(ctx context.Context, a account, password string) (PasswordHash, error) {
	hash := a.hash
	usable := a.isActive && hash != ""
	if !usable {
		hash = nobodysHash
	}
	matches, spent, err := d.Passwords.verify(ctx, hash, password)
	switch {
	case err != nil:
		return "", err
	case !usable || !matches:
		return "", errMismatch
	case spent.lower():
		return d.Passwords.hash(ctx, password)
	}
	return hash, nil
}

// pass adds a refresh token to a family, or starts one, and returns it with an access token.
func (d *Desk) pass(ctx context.Context, b Book, a account, r refresh) (Pass, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Pass{}, err
	}
	r.id, r.account = id, a.id
	if r.family == uuid.Nil {
		r.family = id
	}
	r.expires = r.expires.UTC().Truncate(time.Second)
	made := newSecret(refreshPrefix, id)
	if err := b.addRefresh(ctx, r, made.Hash); err != nil {
		return Pass{}, err
	}
	access, ends, err := b.accessToken(d.Tokens, a)
	return Pass{AccessToken: access, AccessEnds: ends, RefreshToken: made.Token, RefreshEnds: r.expires}, err
}

// errReplayed says that a refresh token was used before.
var errReplayed = errors.New("a refresh token was used twice")

// Refresh takes a refresh token for an access token and the next refresh token. Each is good once: one
// that comes again was copied, or its answer was lost, and nobody can tell which. So its whole family ends,
// and whoever it belongs to logs in again. All that is wrong is Unauthenticated.
func (d *Desk) Refresh(ctx context.Context, b Book, token, address string) (pass Pass, err error) {
	replayed := false
	err = d.withRefresh(ctx, b, token, func(b Book, a account, r refresh) error {
		now := d.now()
		if r.used {
			replayed = true // what is written now must stay, so it is no error yet
			if r.revoked {
				return nil
			}
			if err := b.revoke(ctx, r.family, now); err != nil {
				return err
			}
			return b.note(ctx, eventReplay, a.id)
		}
		if r.revoked || !now.Before(r.expires) || !a.isActive {
			return refused()
		}
		if err := b.useRefresh(ctx, r.id, now); err != nil {
			return err
		}
		pass, err = d.pass(ctx, b, a, refresh{family: r.family, expires: r.expires, address: address})
		return err
	})
	if err == nil && replayed {
		return Pass{}, refused().Because(errReplayed)
	}
	return pass, err
}

// Logout ends the family of a refresh token. One that is not good, or no more, changes nothing.
func (d *Desk) Logout(ctx context.Context, b Book, token string) error {
	err := d.withRefresh(ctx, b, token, func(b Book, a account, r refresh) error {
		if r.revoked {
			return nil
		}
		if err := b.revoke(ctx, r.family, d.now()); err != nil {
			return err
		}
		return b.note(ctx, eventLogout, a.id)
	})
	if fault.Is(err, fault.Unauthenticated) {
		return nil
	}
	return err
}

// withRefresh calls do with a refresh token and its account, which stay as they are until do returns.
func (d *Desk) withRefresh(ctx context.Context, b Book, token string, do func(Book, account, refresh) error) error {
	id, hash, ok := parseSecret(refreshPrefix, token)
	if !ok {
		return refused()
	}
	err := b.inTx(ctx, func(b Book) error {
		r, err := b.refresh(ctx, id)
		if err != nil {
			return err
		}
		a, err := b.lock(ctx, r.account)
		if err != nil {
			return err
		}
		// Again: it may have been used before the lock was ours.
		if r, err = b.refresh(ctx, id); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(hash, r.hash) != 1 {
			return refused()
		}
		return do(b, a, r)
	})
	if errors.Is(err, errNone) {
		return refused()
	}
	return err
}

func (d *Desk) now() time.Time { return d.Tokens.now().UTC().Truncate(time.Microsecond) }
