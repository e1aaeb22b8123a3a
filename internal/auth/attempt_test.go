package auth_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// TestFlood holds that an account takes so many attempts, known or not, and no hash is computed beyond.
func TestFlood(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		for _, account := range []string{email, "nobody@example.org"} {
			before := o.hashes.Load()
			var group sync.WaitGroup
			var refused atomic.Int64
			for range 3 * auth.AttemptsPerAccount {
				group.Go(func() {
					_, err := o.Login(context.Background(), o.book, auth.Credentials{Email: account, Password: "wrong", Address: uuid.NewString()})
					if f := fault.Of(err); f.Kind == fault.RateLimited && f.RetryAfter == auth.AttemptWindow {
						refused.Add(1)
					} else if f.Kind != fault.Unauthenticated {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if n := o.hashes.Load() - before; n != auth.AttemptsPerAccount || refused.Load() != 2*auth.AttemptsPerAccount {
				t.Errorf("%s: %d hashes, %d refused", account, n, refused.Load())
			}
		}
		if _, err := o.login(t, email, password, "192.0.2.1"); !fault.Is(err, fault.RateLimited) {
			t.Errorf("the right password meanwhile: %v", err)
		}
		o.wait(auth.AttemptWindow)
		o.mustLogin(t)
	})
}

func TestAddressLimit(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		try := func(address string) error {
			_, err := o.login(t, uuid.NewString()+"@example.org", "wrong", address)
			return err
		}
		for range auth.AttemptsPerAddress {
			wantKind(t, "an attempt", try("2001:db8::1"), fault.Unauthenticated)
		}
		before := o.hashes.Load()
		wantKind(t, "one more", try("2001:db8::2"), fault.RateLimited) // of the same customer
		if o.hashes.Load() != before {
			t.Error("a hash was computed")
		}
		wantKind(t, "another customer", try("2001:db8:0:1::1"), fault.Unauthenticated)
	})
}

// TestRightLoginsDoNotCount holds that a school behind one address can log in as often as it likes.
func TestRightLoginsDoNotCount(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.add(email, new(string(auth.Cheap(password))), true)
		for range auth.AttemptsPerAddress + 2 {
			o.mustLogin(t)
		}
		for range auth.AttemptsPerAccount - 1 {
			_, err := o.login(t, email, "wrong", "192.0.2.1")
			wantKind(t, "wrong", err, fault.Unauthenticated)
		}
		o.mustLogin(t) // and with it the account's count begins anew
		_, err := o.login(t, email, "wrong", "192.0.2.1")
		wantKind(t, "wrong again", err, fault.Unauthenticated)
	})
}

// TestManyAtOnce holds that those behind one address can all log in at once: whoever waits in vain for
// a hash is to come again in a moment, and nothing is held against anybody.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		const people = auth.AttemptsPerAddress + 10
		hash, err := o.Passwords.Hash(t.Context(), "", password)
		must(t, err)
		for i := range people {
			o.add(fmt.Sprintf("%d@example.org", i), new(string(hash)), true)
		}
		gate := make(chan struct{})
		open := sync.OnceFunc(func() { close(gate) })
		o.Passwords.Around(func(compute func()) {
			<-gate
			compute()
		})
		var group sync.WaitGroup
		var in atomic.Int64
		for i := range people {
			group.Go(func() {
				_, err := o.Login(context.Background(), o.book, auth.Credentials{Email: fmt.Sprintf("%d@example.org", i), Password: password, Address: "192.0.2.1"})
				if err == nil {
					in.Add(1)
				} else if f := fault.Of(err); f.Kind != fault.RateLimited || f.RetryAfter > time.Minute {
					t.Error(err)
				}
				open() // somebody has waited in vain
			})
		}
		group.Wait()
		if n := o.attempts(); n != 0 || in.Load() == 0 || in.Load() == people {
			t.Errorf("%d attempts are held against somebody; %d got in", n, in.Load())
		}
		for i := range people {
			_, err := o.login(t, fmt.Sprintf("%d@example.org", i), password, "192.0.2.1")
			must(t, err)
		}
	})
}

// TestWhoLeaves holds that an attempt whose client does not wait for the answer counts as it would have.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		for _, c := range []struct {
			password string
			counts   int
		}{{password, 0}, {"wrong", 2}} { // the account's and the address's
			ctx, leave := context.WithCancel(t.Context())
			o.Passwords.Around(func(compute func()) {
				leave()
				compute()
			})
			_, _ = o.Login(ctx, o.book, auth.Credentials{Email: email, Password: c.password, Address: "192.0.2.1"})
			if n := o.attempts(); n != c.counts {
				t.Errorf("%s: %d attempts", c.password, n)
			}
		}
	})
}
