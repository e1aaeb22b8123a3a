package tenancy

import (
	"context"

	"github.com/google/uuid"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
)

// keys are the API keys of the platform.
type keys = rowCache[uuid.UUID, publicdb.APIKey]

func newKeys(m *memory) *keys { return newRowCache[uuid.UUID, publicdb.APIKey](m, mostKnown) }

// APIKey returns an API key of the platform, or ent's error that there is none. While changes are heard, the
// row may be the one remembered: it is shared, and nobody may change it.
func (r *Registry) APIKey(ctx context.Context, id uuid.UUID) (*publicdb.APIKey, error) {
	return r.keys.find(ctx, id, r.public.APIKey.Get)
}
