package tenancy

import (
	"context"

	"github.com/maypok86/otter/v2"
)

// rowBeats is how long a row is remembered, 30 seconds, should a message ever get lost.
const rowBeats = 6

// mostReads is how many rows of a sort are read at once: whoever makes up API keys without end keeps no more of
// the connections busy.
const mostReads = 4

// rowCache remembers rows that say what somebody may do, by key. One that there is not is asked for each time.
type rowCache[K comparable, R any] struct {
	*memory
	known   *otter.Cache[K, rememberedRow[R]]
	reading chan struct{} // one for each read at work
}

type rememberedRow[R any] struct {
	row  *R
	beat uint32
}

func newRowCache[K comparable, R any](m *memory, most int) *rowCache[K, R] {
	return &rowCache[K, R]{m, otter.Must(&otter.Options[K, rememberedRow[R]]{MaximumSize: most}), make(chan struct{}, mostReads)}
}

// find returns the row remembered while changes are heard, else what read does. It is shared: nobody may change it.
func (c *rowCache[K, R]) find(ctx context.Context, key K, read func(context.Context, K) (*R, error)) (*R, error) {
	if row := c.remembered(key); row != nil {
		return row, nil
	}
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	generation := c.begin()
	row, err := read(ctx, key)
	if err != nil {
		return nil, err
	}
	c.remember(generation, key, row)
	return row, nil
}

// remembered returns a row if it stands, else nil. Unlike a host's, it does not outlive the listener: who may do
// something must not depend on what nobody can read.
func (c *rowCache[K, R]) remembered(key K) *R {
	now := c.beats.Load()
	if c.trust.get() != trusted { // before the look: what is there after it was heard of
		return nil
	}
	if found, ok := c.known.GetIfPresent(key); ok && now-found.beat < rowBeats {
		return found.row
	}
	return nil
}

// remember keeps a row that was read in a generation, unless something has changed since.
func (c *rowCache[K, R]) remember(generation uint64, key K, row *R) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation == c.generation && c.trust.get() == trusted {
		c.known.Set(key, rememberedRow[R]{row, c.beats.Load()})
	}
}

// keyChanged forgets the row of a key.
func (c *rowCache[K, R]) keyChanged(key K) {
	c.changed(func() { c.known.Invalidate(key) })
}
