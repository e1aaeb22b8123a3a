package auth_test

import (
	"fmt"
	"testing"

	"github.com/homeroom-sms/homeroom/ent/tenant/auditevent"
	"github.com/homeroom-sms/homeroom/internal/auth"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	o := platformOffice(t)
	o.person(t, email)
	first := o.mustLogin(t)
	_, _ = o.login(t, email, "wrong", "")
	_, _ = o.login(t, "nobody@example.org", "wrong", "")
	_, err := o.refresh(t, first.RefreshToken)
	must(t, err)
	for range 3 { // of which the first says all
		_, _ = o.refresh(t, first.RefreshToken)
	}
	must(t, o.Logout(t.Context(), o.book, o.mustLogin(t).RefreshToken))
	want := "[login login-refused login-refused nobody refresh-replayed login logout]"
	if got := fmt.Sprint(o.events); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSchoolNotes holds that a school's own audit tells who came, from where, and nothing personal.
func TestSchoolNotes(t *testing.T) {
	t.Parallel()
	o, db := schoolOffice(t)
	id := o.person(t, email)
	first := o.mustLogin(t)
	_, _ = o.login(t, email, "wrong", "")
	_, _ = o.login(t, "nobody@example.org", "wrong", "")
	_, err := o.refresh(t, first.RefreshToken)
	must(t, err)
	for range 2 {
		_, _ = o.refresh(t, first.RefreshToken)
	}
	must(t, o.Logout(t.Context(), o.book, o.mustLogin(t).RefreshToken))
	invitation, err := auth.NewInvitation("", "grace@example.org", "Grace", auth.RoleAdmin)
	must(t, err)
	must(t, auth.Invite(t.Context(), db, invitation, o.now()))
	_, err = o.AcceptInvite(t.Context(), o.book, auth.Acceptance{Token: invitation.Token, Password: password})
	must(t, err)
	got := ""
	for _, e := range db.AuditEvent.Query().Order(auditevent.ByID()).AllX(t.Context()) {
		who := e.Actor
		switch {
		case who == "user:"+id.String() && e.Details["user"] == id.String():
			who = "ada"
		case who == "user:"+invitation.ID.String() && e.Details["user"] == invitation.ID.String():
			who = "grace"
		}
		got += " " + who + " " + e.Action
		if *e.RequestID != "r-1" || *e.Address != "192.0.2.1" {
			t.Errorf("%v", e)
		}
	}
	want := " ada user.login ada user.login-refused nobody user.login-refused ada user.refresh-replayed ada user.login ada user.logout grace user.invite-accepted"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
