package platform

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/ent/public/operation"
)

const (
	watchEvery   = 500 * time.Millisecond
	watchTimeout = 5 * time.Second
)

// Watcher tells many how their operations go, by one query for all of them now and then: also through a
// connection pooler, and also of operations that another process carries out. Nobody who watches holds a
// connection, and who is slow keeps nobody else waiting.
type Watcher struct {
	platform *Platform
	mu       sync.Mutex
	watches  map[chan *publicdb.Operation]uuid.UUID // nil once Run has ended
}

// NewWatcher returns a watcher of the platform's operations. It tells nothing until it runs.
func NewWatcher(p *Platform) *Watcher {
	return &Watcher{platform: p, watches: map[chan *publicdb.Operation]uuid.UUID{}}
}

// Watch returns a channel that gets the operation as it is, again and again, changed or not; who comes
// late for one gets the latest. It is closed when the operation is gone, or nobody looks any more. Who
// has seen enough calls stop.
func (w *Watcher) Watch(id uuid.UUID) (states <-chan *publicdb.Operation, stop func()) {
	c := make(chan *publicdb.Operation, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches == nil {
		close(c)
		return c, func() {}
	}
	w.watches[c] = id
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watches, c)
	}
}

// Run looks until ctx ends. The context's logger hears of what goes wrong.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	defer w.end()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := w.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("nobody hears how operations go until they can be read again")
		}
		failing = err != nil
	}
}

func (w *Watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.watches {
		close(c)
	}
	w.watches = nil
}

// look reads what is watched and hands it out.
func (w *Watcher) look(ctx context.Context) error {
	asked := w.watched()
	if len(asked) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(asked))
	for id := range asked {
		ids = append(ids, id)
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	rows, err := w.platform.registry.Public().Operation.Query().Where(operation.IDIn(ids...)).All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		asked[row.ID] = row
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, id := range w.watches {
		switch row, known := asked[id]; {
		case row != nil:
			select {
			case <-c: // what nobody has taken is old now
			default:
			}
			c <- row
		case known:
			delete(w.watches, c)
			close(c)
		}
	}
	return nil
}

// watched returns what to look for.
func (w *Watcher) watched() map[uuid.UUID]*publicdb.Operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := map[uuid.UUID]*publicdb.Operation{}
	for _, id := range w.watches {
		asked[id] = nil
	}
	return asked
}
