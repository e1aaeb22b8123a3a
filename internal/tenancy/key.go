package tenancy

import (
	"context"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
)

// keyBeats is how long an API key is remembered, 30 seconds, should a message ever get lost.
const keyBeats = 6

// keys are the API keys of the platform that are remembered. One that there is not is asked for each time.
type keys struct {
	*memory
	known *otter.Cache[uuid.UUID, rememberedKey]
}

type rememberedKey struct {
	row  *publicdb.APIKey
	beat uint32
}

func newKeys(m *memory) *keys {
	return &keys{m, otter.Must(&otter.Options[uuid.UUID, rememberedKey]{MaximumSize: mostKnown})}
}

// APIKey returns an API key of the platform, or ent's error that there is none. While changes are heard, the
// row may be the one remembered: it is shared, and nobody may change it.
func (r *Registry) APIKey(ctx context.Context, id uuid.UUID) (*publicdb.APIKey, error) {
	if row := r.keys.remembered(id); row != nil {
		return row, nil
	}
	generation := r.memory.begin()
	row, err := r.public.APIKey.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	r.keys.remember(generation, row)
	return row, nil
}

// remembered returns the row of a key if it stands, else nil. Unlike a host's, it does not outlive the listener:
// who may do something must not depend on what nobody can read.
func (k *keys) remembered(id uuid.UUID) *publicdb.APIKey {
	now := k.beats.Load()
	if k.trust.get() != trusted { // before the look: what is there after it was heard of
		return nil
	}
	if key, ok := k.known.GetIfPresent(id); ok && now-key.beat < keyBeats {
		return key.row
	}
	return nil
}

// remember keeps a row that was read in a generation, unless something has changed since.
func (k *keys) remember(generation uint64, row *publicdb.APIKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if generation == k.generation && k.trust.get() == trusted {
		k.known.Set(row.ID, rememberedKey{row, k.beats.Load()})
	}
}

// keyChanged forgets a key.
func (k *keys) keyChanged(id uuid.UUID) {
	k.changed(func() { k.known.Invalidate(id) })
}
