package tenancy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// trust is how far what is remembered may be believed.
type trust int32

const (
	// untrusted: nobody listens, so nothing is remembered and every look-up asks the database.
	untrusted trust = iota
	// trusted: changes are heard of as they happen.
	trusted
	// doubted: the listener has lost its connection. Look-ups ask the database, and what is
	// remembered answers only where that can't.
	doubted
	// cutOff: the database can't be reached, so what is remembered answers: nothing could have come
	// of asking. It may be out of date, but only for as long as nobody can read that.
	cutOff
)

// beat is how often the listener proves that it hears. What is remembered ages in beats, which cost
// less to read than the clock.
const beat = 5 * time.Second

// memory is what the indexes of hosts and contacts and the caches of rows share: the schools, and how far to trust them.
type memory struct {
	trust trustBox
	beats atomic.Uint32

	mu         sync.Mutex
	generation uint64 // grows with every message: what was read before it came is not remembered
	schools    map[uuid.UUID]*schoolEntry
	perSchool  int // requests of one school at work at once; 0 for any number
}

type trustBox struct{ value atomic.Int32 }

func (b *trustBox) get() trust  { return trust(b.value.Load()) }
func (b *trustBox) set(t trust) { b.value.Store(int32(t)) }

// schoolEntry is one school, for all the keys that lead to it. It stays for good: there are no more
// than schools that exist, and their gates must outlive what is known of them.
type schoolEntry struct {
	gate *gate
	own  revisions
	last atomic.Pointer[answer] // nil if the row has changed since it was read
}

// answer is what a look-up of a school comes to; the zero one is that of a deleted school, which is
// as good as none. It is shared, its error too.
type answer struct {
	tenant *Tenant
	err    error
}

// entry returns the entry of a school, while m.mu is held.
func (m *memory) entry(id uuid.UUID) *schoolEntry {
	e, ok := m.schools[id]
	if !ok {
		e = &schoolEntry{gate: newGate(m.perSchool)}
		m.schools[id] = e
	}
	return e
}

// begin returns the generation that a question to the database belongs to.
func (m *memory) begin() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.generation
}

// changed runs forget and keeps what is being read at this moment from being remembered.
func (m *memory) changed(forget func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	forget()
}

// schoolChanged forgets what a school's row said.
func (m *memory) schoolChanged(id uuid.UUID) {
	m.changed(func() {
		if e, ok := m.schools[id]; ok {
			e.last.Store(nil)
		}
	})
}
