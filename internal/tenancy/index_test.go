package tenancy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// book is an index over a table in memory, whose queries can be held up and fail.
type book struct {
	*Registry
	mu      sync.Mutex
	rows    map[string]row
	fails   error
	queries atomic.Int64
	read    chan struct{} // a query has read its rows ...
	release chan struct{} // ... and goes on; nil for one that does not stop
}

func newBook() *book {
	b := &book{rows: map[string]row{}}
	r := &Registry{memory: &memory{schools: map[uuid.UUID]*schoolEntry{}}}
	open := func(found row, e *schoolEntry) (*Tenant, error) {
		if !found.active {
			return nil, fault.New(fault.SchoolInactive, "off")
		}
		return &Tenant{ID: found.id, Code: found.code, gate: e.gate}, nil
	}
	r.hosts, r.contacts = newIndex(r.memory, hostIndex, b.query, open), newIndex(r.memory, contactIndex, b.query, open)
	r.keys, r.users = newKeys(r.memory), newUsers(r.memory)
	b.Registry = r
	return b
}

func (b *book) query(_ context.Context, keys []string) ([]row, error) {
	b.queries.Add(1)
	b.mu.Lock()
	var found []row
	for _, key := range keys {
		if r, ok := b.rows[key]; ok {
			found = append(found, r)
		}
	}
	err := b.fails
	b.mu.Unlock()
	if b.release != nil {
		b.read <- struct{}{}
		<-b.release
	}
	return found, err
}

func (b *book) put(host string, id uuid.UUID, active bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows[host] = row{key: host, id: id, code: host, state: school.StateReady, active: active}
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = err
}

// expect looks a host up, and holds what comes of it and how many queries that takes.
func (b *book) expect(t *testing.T, when, host string, kind fault.Kind, queries int64) {
	t.Helper()
	before := b.queries.Load()
	tenant, err := b.ByHost(t.Context(), host)
	if got := b.queries.Load() - before; got != queries {
		t.Errorf("%s: %d queries, want %d", when, got, queries)
	}
	if kind == "" && (err != nil || tenant.Code != host) || kind != "" && !fault.Is(err, kind) {
		t.Errorf("%s: %v %v, want %q", when, tenant, err, kind)
	}
}

// A message that comes while a query is under way keeps what that has read from being remembered.
func TestChangeDuringARead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*book, uuid.UUID){
		"school":     func(b *book, id uuid.UUID) { b.heard("school " + id.String()) },
		"domain":     func(b *book, _ uuid.UUID) { b.heard("domain oak") },
		"all":        func(b *book, _ uuid.UUID) { b.heard("all") },
		"unknown":    func(b *book, _ uuid.UUID) { b.heard("") },
		"bad school": func(b *book, _ uuid.UUID) { b.heard("school x") },
		"reconnect":  func(b *book, _ uuid.UUID) { b.restart(trusted) },
	} {
		for _, known := range []bool{true, false} {
			b, id := newBook(), uuid.New()
			b.restart(trusted)
			if known {
				b.put("oak", id, true)
			}
			b.read, b.release = make(chan struct{}), make(chan struct{})
			done := make(chan error, 1)
			go func() {
				_, err := b.ByHost(t.Context(), "oak")
				done <- err
			}()
			<-b.read
			b.put("oak", id, false)
			change(b, id)
			close(b.release)
			if err := <-done; known != (err == nil) {
				t.Fatalf("%s: %v", name, err)
			}
			b.hosts.asker.wait()
			b.release = nil
			b.expect(t, name+": the next", "oak", fault.SchoolInactive, 1)
			b.expect(t, name+": the one after", "oak", fault.SchoolInactive, 0)
		}
	}
}

func TestWhatIsRememberedIsBelieved(t *testing.T) {
	t.Parallel()
	b, id := newBook(), uuid.New()
	gone := &fault.Error{Kind: fault.DatabaseUnavailable, Message: "gone"}
	b.put("oak", id, true)
	b.expect(t, "nobody listens", "oak", "", 1)
	b.expect(t, "nobody listens yet", "oak", "", 1)
	b.restart(trusted)
	b.expect(t, "first", "oak", "", 1)
	b.expect(t, "second", "oak", "", 0)
	b.expect(t, "unknown", "elm", fault.UnknownHost, 1)
	b.expect(t, "known to be unknown", "elm", fault.UnknownHost, 0)
	b.memory.beats.Add(unknownBeats)
	b.expect(t, "unknown for 30 s", "elm", fault.UnknownHost, 1)
	b.expect(t, "known after 30 s", "oak", "", 0)
	b.memory.beats.Add(knownBeats - unknownBeats)
	b.fail(gone)
	b.expect(t, "after 5 minutes, gone", "oak", "", 1)
	b.fail(nil)
	b.expect(t, "after 5 minutes", "oak", "", 1)
	b.expect(t, "after 5 minutes, again", "oak", "", 0)

	b.memory.trust.set(doubted)
	b.put("oak", id, false)
	b.expect(t, "doubted", "oak", fault.SchoolInactive, 1)
	b.put("oak", id, true)
	b.expect(t, "doubted again", "oak", "", 1)
	b.fail(gone)
	b.expect(t, "doubted, gone", "oak", "", 1)
	b.fail(errBusy)
	b.expect(t, "doubted, busy", "oak", fault.DatabaseUnavailable, 1)
	b.fail(errors.New("relation does not exist"))
	if _, err := b.ByHost(t.Context(), "oak"); err == nil {
		t.Error("doubted, and the database says no: it was served")
	}
	b.fail(gone)
	b.memory.trust.set(cutOff)
	b.memory.beats.Add(10 * knownBeats)
	b.expect(t, "cut off", "oak", "", 0)
	b.expect(t, "cut off, unknown", "elm", fault.DatabaseUnavailable, 1)
	b.heard("school " + id.String())
	b.memory.trust.set(cutOff)
	b.expect(t, "cut off after a change", "oak", fault.DatabaseUnavailable, 1)
	b.fail(nil)
	b.restart(trusted)
	b.expect(t, "back", "oak", "", 1)
	b.restart(untrusted)
	b.expect(t, "stopped", "oak", "", 1)
}

// Whoever comes while a query is under way shares the next, up to a bound.
func TestAskingTogether(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.restart(trusted)
	b.put("oak", uuid.New(), true)
	b.read, b.release = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	look := func(host string) {
		_, err := b.ByHost(ctx, host)
		results <- err
	}
	go look("first")
	<-b.read
	for range 200 {
		go look("oak")
	}
	for i := range mostAsked - 1 {
		go look(fmt.Sprintf("made-up-%d", i))
	}
	for waiting := 0; waiting < mostAsked; {
		b.hosts.asker.mu.Lock()
		if b.hosts.asker.next != nil {
			waiting = len(b.hosts.asker.next.keys)
		}
		b.hosts.asker.mu.Unlock()
	}
	if _, err := b.ByHost(ctx, "too-many"); !errors.Is(err, errBusy) || fault.Of(err).RetryAfter == 0 {
		t.Errorf("one too many: %v", err)
	}
	go func() {
		for range b.read {
			continue // nothing is held up any more
		}
	}()
	close(b.release)
	unknown := 0
	for range 200 + mostAsked {
		if err := <-results; fault.Is(err, fault.UnknownHost) {
			unknown++
		} else if err != nil {
			t.Error(err)
		}
	}
	if n := b.queries.Load(); n > 3 || unknown != mostAsked { // a third for whoever of the 200 was late
		t.Errorf("%d queries, %d unknown", n, unknown)
	}
	cancel()
	if _, err := b.ByHost(ctx, "never-asked"); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever has gone: %v", err)
	}
	b.hosts.asker.wait()
	close(b.read)
}

// A contact that is nobody's pushes out no host, and leads to no host's school.
func TestIndexesApart(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.restart(trusted)
	b.put("oak", uuid.New(), true)
	b.expect(t, "host", "oak", "", 1)
	if tenant, err := b.ByContact(t.Context(), "oak"); err != nil || b.queries.Load() != 2 {
		t.Error(tenant, err) // asked for itself, though remembered as a host
	}
	b.heard("contact " + hashed("oak"))
	b.expect(t, "host after the contact", "oak", "", 0)
	if _, err := b.ByContact(t.Context(), "oak"); err != nil || b.queries.Load() != 3 {
		t.Error(err)
	}
	for _, contact := range []string{"\x00", "\xff", string(make([]byte, 200))} {
		if _, err := b.ByContact(t.Context(), contact); !fault.Is(err, fault.NotFound) || b.queries.Load() != 3 {
			t.Errorf("%q: %v", contact, err)
		}
	}
}
