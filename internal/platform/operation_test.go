package platform_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/platform"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func (p place) create(t *testing.T, n platform.NewSchool) *publicdb.School {
	t.Helper()
	n.Name = "New"
	row, err := p.Create(t.Context(), platform.Shell, n)
	must(t, err)
	return row
}

// deleted deletes a school, some time ago.
func (p place) deleted(t *testing.T, row *publicdb.School, ago time.Duration) {
	t.Helper()
	must(t, p.Delete(t.Context(), platform.Shell, row.ID, func(*publicdb.School) error { return nil }))
	must(t, p.registry.Public().School.UpdateOneID(row.ID).SetDeletedAt(time.Now().Add(-ago)).Exec(t.Context()))
}

// performAll carries out what is to be done, as the only attempt.
func (p place) performAll(t *testing.T) {
	t.Helper()
	ids, err := p.Unfinished(t.Context())
	must(t, err)
	for _, id := range ids {
		must(t, p.Perform(t.Context(), id, true))
	}
}

func (p place) outcome(t *testing.T, id uuid.UUID) *publicdb.Operation {
	t.Helper()
	row, err := p.Operation(t.Context(), id)
	must(t, err)
	return row
}

// Only what was deleted for long enough ends, and not what is restored before its end.
func TestRetention(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	const day = 24 * time.Hour
	p.create(t, platform.NewSchool{Code: "live"})
	p.deleted(t, p.create(t, platform.NewSchool{Code: "fresh"}), 29*day)
	p.deleted(t, p.create(t, platform.NewSchool{Code: "due"}), 31*day)
	elsewhere := "own-" + uuid.NewString()[:13]
	p.deleted(t, p.create(t, platform.NewSchool{Code: elsewhere, Isolation: "database"}), 31*day)
	for _, code := range []string{"restored", "deleted-again"} {
		p.deleted(t, p.create(t, platform.NewSchool{Code: code}), 31*day)
	}
	for range 2 { // the second time changes nothing
		must(t, p.Expire(ctx, time.Now().Add(-30*day)))
	}
	if codes := p.query(t, "SELECT school_code FROM operations WHERE kind = 'school.expire' AND created_by = 'retention' ORDER BY created_at"); len(codes) != 4 || slices.Contains(codes, "fresh") || slices.Contains(codes, "live") {
		t.Fatalf("operations on %v", codes)
	}
	for _, code := range []string{"restored", "deleted-again"} {
		row, err := p.SchoolByCode(ctx, code)
		must(t, err)
		if _, err := p.Restore(ctx, platform.Shell, row.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("restored while its purge is pending: %v", err)
		}
		// As a version of the service does that knows no better.
		must(t, p.registry.Public().School.UpdateOneID(row.ID).SetState(school.StateReady).ClearDeletedAt().Exec(ctx))
		if code == "deleted-again" {
			p.deleted(t, row, 0)
		}
	}
	p.performAll(t)
	if codes := p.query(t, "SELECT code FROM clients ORDER BY 1"); !slices.Equal(codes, []string{"deleted-again", "fresh", "live", "restored"}) {
		t.Errorf("left: %v", codes)
	}
	purged := p.query(t, "SELECT school_code || ' ' || actor FROM audit_events WHERE action = 'school.purge'")
	slices.Sort(purged)
	if !slices.Equal(purged, []string{"due retention", elsewhere + " retention"}) {
		t.Errorf("the audit: %v", purged)
	}
	if states := p.query(t, "SELECT concat_ws(' ', school_code, state, error) FROM operations WHERE state <> 'succeeded' ORDER BY 1"); !slices.Equal(states, []string{"deleted-again failed This school was restored.", "restored failed This school was restored."}) {
		t.Errorf("operations: %v", states)
	}
	if left := p.query(t, schemas); slices.Contains(left, "school_due") || !slices.Contains(left, "school_fresh") {
		t.Errorf("schemas: %v", left)
	}
	must(t, p.PruneOperations(ctx, time.Now().Add(-time.Hour)))
	if n := p.registry.Public().Operation.Query().CountX(ctx); n != 4 {
		t.Errorf("%d operations are kept", n)
	}
	must(t, p.PruneOperations(ctx, time.Now().Add(time.Hour)))
	if n := p.registry.Public().Operation.Query().CountX(ctx); n != 0 {
		t.Errorf("%d operations are kept for ever", n)
	}
}

// An operation that is cut off goes on from there, wherever that was.
func TestOperationCutOff(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	row := p.create(t, platform.NewSchool{Code: "one"})
	if _, err := p.BeginPurge(ctx, platform.Shell, row.ID, "two"); !fault.Is(err, fault.InvalidInput) {
		t.Fatalf("not confirmed: %v", err)
	}
	op, err := p.BeginPurge(ctx, platform.Actor{Name: "me", RequestID: "r-1", Address: "192.0.2.7"}, row.ID, "one")
	must(t, err)
	if _, err := p.BeginPurge(ctx, platform.Shell, row.ID, "one"); !fault.Is(err, fault.Conflict) {
		t.Fatalf("twice: %v", err)
	}
	cut, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Perform(cut, op.ID, true); err == nil {
		t.Fatal("done although it was cut off")
	}
	if now := p.outcome(t, op.ID); now.FinishedAt != nil || p.registry.Public().School.Query().CountX(ctx) != 1 {
		t.Fatalf("it has ended: %v", now)
	}
	// The next attempt dies after the purge, before it can say so.
	must(t, p.registry.Public().Operation.UpdateOne(op).SetState(operation.StateRunning).SetStartedAt(time.Now()).Exec(ctx))
	must(t, p.Purge(ctx, platform.Actor{Name: "me"}, row.ID, "one"))
	for range 2 {
		must(t, p.Perform(ctx, op.ID, false))
		if now := p.outcome(t, op.ID); now.State != operation.StateSucceeded || now.Progress != 100 || now.FinishedAt == nil || now.Error != nil {
			t.Fatalf("%v", now)
		}
	}
	must(t, p.Perform(ctx, uuid.New(), false)) // nobody knows it any more

	row = p.create(t, platform.NewSchool{Code: "two"})
	_, err = p.BeginPurge(ctx, platform.Actor{Name: "me", RequestID: "r-2", Address: "192.0.2.7"}, row.ID, "two")
	must(t, err)
	p.performAll(t)
	if events := p.query(t, "SELECT concat_ws(' ', actor, request_id, address) FROM audit_events WHERE action = 'school.purge' AND school_code = 'two'"); !slices.Equal(events, []string{"me r-2 192.0.2.7"}) {
		t.Errorf("the audit: %v", events)
	}
}

// A school that is not on the database of the platform goes in two steps. The first has an event of its own,
// and after it there is no way back.
func TestHalfPurged(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	code := "own-" + uuid.NewString()[:13]
	row := p.create(t, platform.NewSchool{Code: code, Isolation: "database"})
	must(t, p.registry.Public().School.UpdateOne(row).SetState(school.StateFailed).Exec(ctx))
	if err := p.Delete(ctx, platform.Shell, row.ID, func(*publicdb.School) error { return nil }); !fault.Is(err, fault.Conflict) {
		t.Errorf("deleted: %v", err)
	}
	if _, err := p.Restore(ctx, platform.Shell, row.ID); !fault.Is(err, fault.Conflict) {
		t.Errorf("restored: %v", err)
	}
	must(t, p.Purge(ctx, platform.Shell, row.ID, code))
	row = p.create(t, platform.NewSchool{Code: code, Isolation: "database"})
	must(t, p.Purge(ctx, platform.Shell, row.ID, code))
	const events = "SELECT concat_ws(' ', action, details->'before'->>'state', details->'after'->>'state') FROM audit_events ORDER BY id"
	if got, want := p.query(t, events), []string{
		"school.create provisioning", "school.purge failed", "school.create provisioning", "school.begin-purge ready failed", "school.purge failed",
	}; !slices.Equal(got, want) {
		t.Errorf("the audit: %q", got)
	}
}

// What a server that is down holds up is tried again, and says so.
func TestOperationTriesAgain(t *testing.T) {
	t.Parallel()
	p, ctx := newPlace(t), t.Context()
	second, again := testkit.SecondServer(t)
	p.with(t, second)
	row := p.create(t, platform.NewSchool{Code: "there", Database: "north"})
	p.deleted(t, row, time.Hour)
	must(t, p.Expire(ctx, time.Now()))
	ids, err := p.Unfinished(ctx)
	must(t, err)
	must(t, second.Close())
	if err := p.Perform(ctx, ids[0], false); !fault.Is(err, fault.DatabaseUnavailable) {
		t.Fatal(err)
	}
	if now := p.outcome(t, ids[0]); now.State != operation.StateRunning || !strings.Contains(now.Detail, "again") {
		t.Errorf("%v", now)
	}
	must(t, p.Perform(ctx, ids[0], true))
	if now := p.outcome(t, ids[0]); now.State != operation.StateFailed || now.Error == nil || strings.Contains(*now.Error, "postgres") {
		t.Errorf("%v", now)
	}
	again()
	must(t, p.Expire(ctx, time.Now()))
	for deadline := time.Now().Add(30 * time.Second); p.registry.Public().School.Query().Where(school.Code("there")).ExistX(ctx); {
		ids, err := p.Unfinished(ctx)
		must(t, err)
		if time.Now().After(deadline) {
			t.Fatal("the school stays")
		}
		for _, id := range ids {
			_ = p.Perform(ctx, id, false) // until the server is found to be back
		}
	}
}
