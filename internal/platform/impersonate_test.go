package platform_test

import (
	"slices"
	"testing"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// TestImpersonated holds that the school and the platform are both told, or there is an error.
func TestImpersonated(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	row := p.create(t, platform.NewSchool{Code: "one"})
	until := time.Date(2026, 9, 1, 8, 30, 0, 0, time.UTC)
	by := platform.Actor{Name: "me", RequestID: "r-1", Address: "192.0.2.7"}
	impersonated := func() error { return p.Impersonated(ctx, by, row.ID, "to see", until) }
	told := func(table string) int {
		t.Helper()
		events := p.query(t, "SELECT concat_ws(' ', actor, request_id, address, details->>'reason', details->>'until') FROM "+table+" WHERE action = 'school.impersonate'")
		if slices.ContainsFunc(events, func(e string) bool { return e != "me r-1 192.0.2.7 to see 2026-09-01T08:30:00Z" }) {
			t.Errorf("%s: %q", table, events)
		}
		return len(events)
	}
	must(t, impersonated())
	if school, all := told("school_one.audit_events"), told("public.audit_events"); school != 1 || all != 1 {
		t.Errorf("the school was told %d times, the platform %d times", school, all)
	}
	testkit.On(t, p.url, "ALTER TABLE public.audit_events RENAME TO hidden")
	if err := impersonated(); err == nil {
		t.Error("the platform is told nothing, and there is no error")
	}
	testkit.On(t, p.url, "ALTER TABLE public.hidden RENAME TO audit_events")
	if school, all := told("school_one.audit_events"), told("public.audit_events"); school != 2 || all != 1 {
		t.Errorf("the school was told %d times, the platform %d times", school, all)
	}
	testkit.On(t, p.url, "DROP TABLE school_one.audit_events")
	if err := impersonated(); !fault.Is(err, fault.SchoolUnavailable) {
		t.Errorf("the school can't be told: %v", err)
	}
	if n := told("public.audit_events"); n != 1 {
		t.Errorf("the platform was told %d times", n)
	}
}
