package auth_test

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

func TestAcceptInvite(t *testing.T) {
	t.Parallel()
	o, db := schoolOffice(t)
	ctx := t.Context()
	invite := func(email string) auth.Invitation {
		i, err := auth.NewInvitation("body", email, "Ada Lovelace", auth.RoleAdmin)
		must(t, err)
		must(t, auth.Invite(ctx, db, i, o.now()))
		return i
	}
	accept := func(token, password string) (auth.Pass, error) {
		return o.AcceptInvite(ctx, o.book, auth.Acceptance{Token: token, Password: password})
	}
	i, other := invite(email), invite("other@example.org")
	for name, token := range map[string]string{
		"nothing": "", "unknown": "hri_" + auth.NewKey(uuid.New()).Token[3:], "another's secret": i.Token[:37] + other.Token[37:], "a refresh token": "hrr_" + i.Token[4:],
		"no secret": i.Token[:36],
	} {
		before := o.hashes.Load()
		_, err := accept(token, password)
		wantKind(t, name, err, fault.InvalidInput)
		if o.hashes.Load() != before {
			t.Errorf("%s: a hash was computed", name)
		}
	}
	_, err := o.login(t, email, "", "")
	wantKind(t, "before", err, fault.Unauthenticated)
	_, err = accept(i.Token, "too short")
	wantKind(t, "a weak password", err, fault.InvalidInput)

	var group sync.WaitGroup
	var taken atomic.Int64
	for range 4 {
		group.Go(func() {
			pass, err := o.AcceptInvite(context.Background(), o.book, auth.Acceptance{Token: i.Token, Password: password})
			if err == nil {
				taken.Add(1)
				if who, err := o.check(pass.AccessToken); err != nil || !reflect.DeepEqual(who, auth.Principal{Name: "user:" + i.ID.String(), Role: auth.RoleAdmin}) {
					t.Error(who, err)
				}
			} else if !fault.Is(err, fault.InvalidInput) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if taken.Load() != 1 {
		t.Errorf("it was accepted %d times", taken.Load())
	}
	o.mustLogin(t)

	off := invite("off@example.org")
	db.User.UpdateOneID(off.ID).SetIsActive(false).ExecX(ctx)
	_, err = accept(off.Token, password)
	wantKind(t, "switched off", err, fault.InvalidInput)
	o.wait(auth.InviteLifetime)
	_, err = accept(other.Token, password)
	wantKind(t, "after 7 days", err, fault.InvalidInput)

	_, err = platformOffice(t).AcceptInvite(ctx, platformOffice(t).book, auth.Acceptance{Token: other.Token, Password: password})
	wantKind(t, "at the platform", err, fault.InvalidInput)
}
