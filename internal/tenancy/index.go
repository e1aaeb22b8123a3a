package tenancy

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/school"
	"github.com/homeroom-sms/homeroom/internal/fault"
)

// The bounds of an index. Keys that lead nowhere have a place of their own: whoever makes them up
// pushes out no school.
const (
	mostKnown   = 10_000
	mostUnknown = 4_096

	knownBeats   = 60 // 5 minutes, should a message ever get lost
	unknownBeats = 6  // 30 seconds
)

// index leads from keys of one sort, hosts or contacts, to schools.
type index struct {
	*memory
	known   *otter.Cache[string, *link]
	unknown *otter.Cache[string, uint32] // the beat at which the database had no such key
	asker   *asker
	open    func(row, *schoolEntry) (*Tenant, error)
	sort
}

// sort is what tells one index from another.
type sort struct {
	name    func(key string) string // what messages call a key, and what it is remembered under
	missing func() error            // the answer for a key that leads nowhere
}

// link is the way from a key to its school.
type link struct {
	school *schoolEntry
	beat   uint32
}

// row is a key and the school that the database says it leads to.
type row struct {
	key        string
	id         uuid.UUID
	code, name string
	placed     publicdb.School // where its records are, and the role that reaches them
	state      school.State
	active     bool
	version    string // of its schema, as far as the platform knows
}

func newIndex(m *memory, s sort, query queryFunc, open func(row, *schoolEntry) (*Tenant, error)) *index {
	x := &index{
		memory: m, sort: s, open: open,
		known:   otter.Must(&otter.Options[string, *link]{MaximumSize: mostKnown}),
		unknown: otter.Must(&otter.Options[string, uint32]{MaximumSize: mostUnknown}),
	}
	x.asker = newAsker(query, m.begin, x.settle)
	return x
}

// find returns the school that a key leads to: the one remembered while that may be believed, else
// the one that the database names.
func (x *index) find(ctx context.Context, key string) (*Tenant, error) {
	last, standing := x.remembered(x.name(key))
	if !standing {
		var err error
		if last, err = x.read(ctx, key, last); err != nil {
			return nil, err
		}
	}
	if last == nil || *last == (answer{}) {
		return nil, x.missing()
	}
	return last.tenant, last.err
}

// remembered returns the last answer, nil for none, and whether it still stands. A key that is known
// to lead nowhere has none that stands.
func (x *index) remembered(name string) (last *answer, standing bool) {
	now, trust := x.beats.Load(), x.trust.get()
	if trust == untrusted {
		return nil, false
	}
	if l, ok := x.known.GetIfPresent(name); ok {
		last = l.school.last.Load()
		return last, last != nil && (trust == cutOff || trust == trusted && now-l.beat < knownBeats)
	}
	since, ok := x.unknown.GetIfPresent(name)
	return nil, ok && trust == trusted && now-since < unknownBeats
}

// read asks the database. Where that fails, the last answer stands in if the database has announced
// no change of it, or can't be reached.
func (x *index) read(ctx context.Context, key string, last *answer) (*answer, error) {
	if last == nil {
		return x.asker.ask(ctx, key)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := x.asker.ask(waiting, key)
	if err != nil && ctx.Err() == nil && (x.trust.get() == trusted || unreached(err)) {
		return last, nil
	}
	return found, err
}

func unreached(err error) bool {
	return !errors.Is(err, errBusy) && (fault.Is(err, fault.DatabaseUnavailable) || errors.Is(err, context.DeadlineExceeded))
}

// settle makes answers of rows and remembers them, and which keys have none, unless something has
// changed since they were asked for.
func (x *index) settle(generation uint64, keys []string, rows []row) map[string]*answer {
	answers := make(map[string]*answer, len(rows))
	x.mu.Lock()
	defer x.mu.Unlock()
	keep, now := generation == x.generation && x.trust.get() != untrusted, x.beats.Load()
	for _, r := range rows {
		if answers[r.key] != nil {
			continue
		}
		e, a := x.entry(r.id), &answer{}
		a.tenant, a.err = x.open(r, e)
		answers[r.key] = a
		if keep {
			e.last.Store(a)
			x.known.Set(x.name(r.key), &link{e, now})
		}
	}
	if !keep {
		return answers
	}
	for _, key := range keys {
		if answers[key] == nil {
			x.known.Invalidate(x.name(key))
			x.unknown.Set(x.name(key), now)
		}
	}
	return answers
}

// keyChanged forgets where a key leads, given what messages call it.
func (x *index) keyChanged(name string) {
	x.changed(func() {
		x.known.Invalidate(name)
		x.unknown.Invalidate(name)
	})
}

// clear forgets everything, while x.mu is held.
func (x *index) clear() {
	x.known.InvalidateAll()
	x.unknown.InvalidateAll()
}
