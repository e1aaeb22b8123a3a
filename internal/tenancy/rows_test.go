package tenancy

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
)

// A message that comes while a row is read keeps what was read from being remembered.
func TestRowThatChangesDuringItsRead(t *testing.T) {
	t.Parallel()
	k := userKey{uuid.New(), uuid.New()}
	for name, c := range map[string]struct {
		change func(*book)
		reads  int
	}{
		"nothing":      {func(*book) {}, 1},
		"the user":     {func(b *book) { b.heard("user " + k.String()) }, 2},
		"another one":  {func(b *book) { b.heard("user " + userKey{uuid.New(), k.user}.String()) }, 2},
		"no user":      {func(b *book) { b.heard("user " + k.school.String()) }, 2},
		"our own":      {func(b *book) { b.users.keyChanged(k) }, 2},
		"lost":         {func(b *book) { b.memory.trust.set(doubted) }, 2},
		"hears again":  {func(b *book) { b.restart(trusted) }, 2},
		"all":          {func(b *book) { b.heard("all") }, 2},
		"fence, as is": {func(b *book) { b.heard("fence x") }, 1},
	} {
		b, reads := newBook(), 0
		b.restart(trusted)
		for range 2 {
			if _, err := b.users.find(t.Context(), k, func(context.Context, userKey) (*tenantdb.User, error) {
				if reads++; reads == 1 {
					c.change(b)
				}
				return &tenantdb.User{}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if reads != c.reads {
			t.Errorf("%s: %d reads, not %d", name, reads, c.reads)
		}
	}
}

// Of all who ask for what is not remembered, few reach the database at once; the others wait, as long as they may.
func TestReadsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(&memory{})
		hold, begun := make(chan struct{}), atomic.Int64{}
		ask := func(ctx context.Context) error {
			_, err := keys.find(ctx, uuid.New(), func(context.Context, uuid.UUID) (*publicdb.APIKey, error) {
				begun.Add(1)
				<-hold
				return nil, errNobody
			})
			return err
		}
		for range 50 {
			go func() { _ = ask(t.Context()) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who can't wait is told %v", err)
		}
		if n := begun.Load(); n != mostReads {
			t.Errorf("%d at once", n)
		}
		close(hold)
		synctest.Wait()
		if n := begun.Load(); n != 50 {
			t.Errorf("%d of 50 were read", n)
		}
	})
}

var errNobody = errors.New("there is none")

// A message forgets whom it names, and nobody else unless it can't be understood.
func TestUserThatIsForgotten(t *testing.T) {
	t.Parallel()
	k := userKey{uuid.New(), uuid.New()}
	for message, forgotten := range map[string]bool{
		"user " + k.String():                             true,
		"user " + userKey{uuid.New(), k.user}.String():   false,
		"user " + userKey{k.school, uuid.New()}.String(): false,
		"user " + k.String() + "x":                       true,
		"user":                                           true,
	} {
		b := newBook()
		b.restart(trusted)
		b.users.remember(b.memory.begin(), k, &tenantdb.User{})
		b.heard(message)
		if got := b.users.remembered(k) == nil; got != forgotten {
			t.Errorf("%q: forgotten %v", message, got)
		}
	}
	for _, unheard := range []trust{untrusted, doubted, cutOff} {
		b := newBook()
		b.restart(trusted)
		b.users.remember(b.memory.begin(), k, &tenantdb.User{})
		b.memory.trust.set(unheard)
		if b.users.remembered(k) != nil {
			t.Errorf("believed while changes are not heard: %d", unheard)
		}
	}
}
