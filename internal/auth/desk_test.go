package auth_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		id := o.person(t, email)
		updated := o.updated(id)
		pass, err := o.login(t, "  ADA@Example.org ", password, "192.0.2.1")
		must(t, err)
		if who, err := o.check(pass.AccessToken); err != nil || who.Name[len(who.Name)-36:] != id.String() || who.Role == "" {
			t.Errorf("the access token is of %v: %v", who, err)
		}
		if !pass.AccessEnds.Equal(start.Add(10*time.Minute)) || !pass.RefreshEnds.Equal(start.Add(auth.RefreshLifetime)) {
			t.Errorf("%+v", pass)
		}
		if at := o.lastLogin(id); at == nil || !at.Equal(start) || !o.updated(id).Equal(updated) {
			t.Errorf("last login %v, updated %s", at, o.updated(id))
		}
		for _, hash := range o.secretRows() {
			if len(hash) != 32 || string(hash) == pass.RefreshToken {
				t.Error("the secret itself is stored")
			}
		}
	})
}

// TestEnumeration holds that accounts that can't be logged in to go the way of a wrong password.
func TestEnumeration(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		o.set(o.person(t, "off@example.org"), false, o.hash(o.person(t, "other@example.org")))
		o.add("none@example.org", nil, true)
		o.add("empty@example.org", new(""), true)
		said := map[string]bool{}
		for _, test := range [][2]string{
			{email, "another password"},
			{email, ""},
			{email, password + " "},
			{"nobody@example.org", password},
			{"off@example.org", password},
			{"none@example.org", password},
			{"none@example.org", ""},
			{"empty@example.org", ""},
		} {
			before := o.hashes.Load()
			pass, err := o.login(t, test[0], test[1], "")
			wantKind(t, test[0], err, fault.Unauthenticated)
			said[fault.Of(err).Error()] = true
			if n := o.hashes.Load() - before; n != 1 || pass != (auth.Pass{}) {
				t.Errorf("%v: %d hashes, %v", test, n, pass)
			}
		}
		if len(said) != 1 {
			t.Errorf("it says %v", said)
		}
	})
}

func TestRehash(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		id := o.add(email, new(string(auth.Cheap(password))), true)
		if _, err := o.login(t, email, "another password", ""); err == nil || o.hash(id) != auth.Cheap(password) {
			t.Error("a wrong password has changed the hash")
		}
		o.mustLogin(t)
		made := o.hash(id)
		if made == auth.Cheap(password) {
			t.Fatal("the hash is the old one")
		}
		o.mustLogin(t)
		if o.hash(id) != made {
			t.Error("a hash of today's cost was made anew")
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		first, other := o.mustLogin(t), o.mustLogin(t)
		o.wait(24 * time.Hour)
		second, err := o.refresh(t, first.RefreshToken)
		must(t, err)
		if second.RefreshToken == first.RefreshToken || !second.RefreshEnds.Equal(first.RefreshEnds) || !second.AccessEnds.Equal(o.now().Add(10*time.Minute)) {
			t.Errorf("%+v after %+v", second, first)
		}
		if _, err := o.check(second.AccessToken); err != nil {
			t.Error(err)
		}
		third, err := o.refresh(t, second.RefreshToken)
		must(t, err)
		// A copy of an older one comes: the thief and the owner are both out, the other login is not.
		for _, token := range []string{second.RefreshToken, third.RefreshToken, first.RefreshToken} {
			_, err := o.refresh(t, token)
			wantKind(t, "of a family that ended", err, fault.Unauthenticated)
		}
		last, err := o.refresh(t, other.RefreshToken)
		must(t, err)
		o.wait(auth.RefreshLifetime)
		_, err = o.refresh(t, last.RefreshToken)
		wantKind(t, "after its end", err, fault.Unauthenticated)
	})
}

// TestRefreshAtOnce holds that of many who show the same token at once one gets a pass, and that it is no
// good: the family has ended.
func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		o.person(t, email)
		first := o.mustLogin(t)
		passes := make(chan auth.Pass, 8)
		var group sync.WaitGroup
		for range cap(passes) {
			group.Go(func() {
				if pass, err := o.Refresh(context.Background(), o.book, first.RefreshToken, ""); err == nil {
					passes <- pass
				} else if !fault.Is(err, fault.Unauthenticated) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if len(passes) != 1 {
			t.Fatalf("%d passes", len(passes))
		}
		_, err := o.refresh(t, (<-passes).RefreshToken)
		wantKind(t, "what the first one got", err, fault.Unauthenticated)
	})
}

func TestRefusedRefreshTokens(t *testing.T) {
	t.Parallel()
	inBoth(t, func(o *office) {
		t := o.t
		id := o.person(t, email)
		pass, other := o.mustLogin(t), o.mustLogin(t)
		good := pass.RefreshToken
		for name, token := range map[string]string{
			"nothing": "", "garbage": "x", "an access token": pass.AccessToken, "an API key": "hr_" + good[4:], "no secret": good[:36], "an empty secret": good[:37],
			"another's secret": good[:37] + other.RefreshToken[37:], "more": good + "a", "less": good[:len(good)-1], "unknown": "hrr_" + auth.NewKey(uuid.New()).Token[3:],
		} {
			_, err := o.refresh(t, token)
			wantKind(t, name, err, fault.Unauthenticated)
			must(t, o.Logout(t.Context(), o.book, token))
		}
		o.set(id, false, o.hash(id))
		_, err := o.refresh(t, good)
		wantKind(t, "of an account that is switched off", err, fault.Unauthenticated)
		o.set(id, true, o.hash(id))
		pass, err = o.refresh(t, good)
		must(t, err) // none of the above has ended it
		must(t, o.Logout(t.Context(), o.book, pass.RefreshToken))
		must(t, o.Logout(t.Context(), o.book, pass.RefreshToken))
		_, err = o.refresh(t, pass.RefreshToken)
		wantKind(t, "after the logout", err, fault.Unauthenticated)
		_, err = o.refresh(t, other.RefreshToken)
		must(t, err)
	})
}
