package auth_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operator"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/ent/tenant/user"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

const (
	email    = "ada@example.org"
	password = "a walk along the river"
)

// office is a desk with one book, whose clock the test sets.
type office struct {
	*auth.Desk
	t      *testing.T
	book   auth.Book
	hashes atomic.Int64
	clock  atomic.Int64 // nanoseconds after start
	mu     sync.Mutex
	events []string

	add        func(email string, hash *string, active bool) uuid.UUID
	set        func(id uuid.UUID, active bool, hash auth.PasswordHash)
	hash       func(id uuid.UUID) auth.PasswordHash
	lastLogin  func(id uuid.UUID) *time.Time
	updated    func(id uuid.UUID) time.Time
	check      func(token string) (auth.Principal, error)
	attempts   func() int // that are held against somebody
	secretRows func() [][]byte
}

func (o *office) now() time.Time       { return start.Add(time.Duration(o.clock.Load())) }
func (o *office) wait(d time.Duration) { o.clock.Add(int64(d)) }

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t}
	signed, err := auth.NewTokens(seed, o.now)
	must(t, err)
	o.Desk = &auth.Desk{Tokens: signed, Passwords: auth.NewPasswords()}
	o.Passwords.Around(func(compute func()) {
		o.hashes.Add(1)
		compute()
	})
	return o
}

func platformOffice(t *testing.T) *office {
	t.Helper()
	o, db, ctx := newOffice(t), testkit.Registry(t).Public(), t.Context()
	o.book = auth.Operators(db, func(_ context.Context, _ *publicdb.Client, event string, id uuid.UUID) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if id == uuid.Nil {
			event += " nobody"
		}
		o.events = append(o.events, event)
		return nil
	})
	o.add = func(email string, hash *string, active bool) uuid.UUID {
		return db.Operator.Create().SetEmail(email).SetFullName("Ada").SetRole(operator.RoleViewer).SetNillablePasswordHash(hash).SetIsActive(active).SaveX(ctx).ID
	}
	o.set = func(id uuid.UUID, active bool, hash auth.PasswordHash) {
		db.Operator.UpdateOneID(id).SetIsActive(active).SetPasswordHash(string(hash)).ExecX(ctx)
	}
	o.hash = func(id uuid.UUID) auth.PasswordHash {
		return auth.PasswordHash(*db.Operator.GetX(ctx, id).PasswordHash)
	}
	o.lastLogin = func(id uuid.UUID) *time.Time { return db.Operator.GetX(ctx, id).LastLoginAt }
	o.updated = func(id uuid.UUID) time.Time { return db.Operator.GetX(ctx, id).UpdatedAt }
	o.check = o.Tokens.ByPlatformToken
	o.attempts = func() (sum int) {
		for _, row := range db.LoginLimit.Query().AllX(ctx) {
			sum += row.Attempts
		}
		return sum
	}
	o.secretRows = func() (hashes [][]byte) {
		for _, row := range db.RefreshToken.Query().AllX(ctx) {
			hashes = append(hashes, row.SecretHash)
		}
		return hashes
	}
	return o
}

func schoolOffice(t *testing.T) (*office, *tenantdb.Client) {
	t.Helper()
	o, db, ctx, school := newOffice(t), testkit.School(t), t.Context(), uuid.New()
	o.book = auth.Users(db, school, auth.Origin{RequestID: "r-1", Address: "192.0.2.1"})
	o.add = func(email string, hash *string, active bool) uuid.UUID {
		return db.User.Create().SetEmail(email).SetFullName("Ada").SetRole(user.RoleTeacher).SetNillablePasswordHash(hash).SetIsActive(active).SaveX(ctx).ID
	}
	o.set = func(id uuid.UUID, active bool, hash auth.PasswordHash) {
		db.User.UpdateOneID(id).SetIsActive(active).SetPasswordHash(string(hash)).ExecX(ctx)
	}
	o.hash = func(id uuid.UUID) auth.PasswordHash { return auth.PasswordHash(*db.User.GetX(ctx, id).PasswordHash) }
	o.lastLogin = func(id uuid.UUID) *time.Time { return db.User.GetX(ctx, id).LastLoginAt }
	o.updated = func(id uuid.UUID) time.Time { return db.User.GetX(ctx, id).UpdatedAt }
	o.check = func(token string) (auth.Principal, error) { return o.Tokens.BySchoolToken(school, token) }
	o.attempts = func() (sum int) {
		for _, row := range db.LoginLimit.Query().AllX(ctx) {
			sum += row.Attempts
		}
		return sum
	}
	o.secretRows = func() (hashes [][]byte) {
		for _, row := range db.RefreshToken.Query().AllX(ctx) {
			hashes = append(hashes, row.SecretHash)
		}
		return hashes
	}
	return o, db
}

// inBoth runs a test at the platform and at a school.
func inBoth(t *testing.T, test func(*office)) {
	t.Helper()
	t.Run("platform", func(t *testing.T) {
		t.Parallel()
		test(platformOffice(t))
	})
	t.Run("school", func(t *testing.T) {
		t.Parallel()
		o, _ := schoolOffice(t)
		test(o)
	})
}

// person adds somebody who knows the password.
func (o *office) person(t *testing.T, email string) uuid.UUID {
	t.Helper()
	hash, err := o.Passwords.Hash(t.Context(), "", password)
	must(t, err)
	return o.add(email, new(string(hash)), true)
}

func (o *office) login(t *testing.T, email, password, address string) (auth.Pass, error) {
	t.Helper()
	return o.Login(t.Context(), o.book, auth.Credentials{Email: email, Password: password, Address: address})
}

func (o *office) mustLogin(t *testing.T) auth.Pass {
	t.Helper()
	pass, err := o.login(t, email, password, "192.0.2.1")
	must(t, err)
	return pass
}

func (o *office) refresh(t *testing.T, token string) (auth.Pass, error) {
	t.Helper()
	return o.Refresh(t.Context(), o.book, token, "192.0.2.1")
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: %v, want %s", what, err, kind)
	}
}
