package tenancy

import (
	"context"
	"sync"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// What a flood of made-up keys may cost. One query is under way at a time, for all that were asked
// for while the one before it was, so a key that leads somewhere waits for two queries at most,
// however many do not. After a query that was mostly for nothing there is a pause.
const (
	mostAsked  = 512             // keys of one query; who comes beyond is told to come again
	queryTime  = 5 * time.Second // a wait for a connection included
	floodSize  = 8               // keys of one query that lead nowhere
	floodPause = 5 * time.Millisecond
	patience   = time.Second // how long to wait for a database that may be gone if there is an old answer
)

var errBusy = &fault.Error{Kind: fault.DatabaseUnavailable, Message: "Too many unknown hosts are asked for at this moment.", RetryAfter: time.Second}

// queryFunc returns the rows of those keys that lead to a school.
type queryFunc func(ctx context.Context, keys []string) ([]row, error)

// asker asks the database where keys lead, many at a time.
type asker struct {
	query  queryFunc
	begin  func() (generation uint64)
	settle func(generation uint64, keys []string, rows []row) map[string]*answer

	mu      sync.Mutex
	next    *batch // what the next query is for
	running bool
	ended   sync.Cond // running is false
}

func newAsker(query queryFunc, begin func() uint64, settle func(uint64, []string, []row) map[string]*answer) *asker {
	a := &asker{query: query, begin: begin, settle: settle}
	a.ended.L = &a.mu
	return a
}

// batch is the keys of one query and what came of it. Whoever joins one joins before it is sent, so
// nobody is given what was read before they asked.
type batch struct {
	keys    map[string]struct{}
	answers map[string]*answer
	err     error
	done    chan struct{}
}

// ask returns the answer for a key, nil if it leads nowhere. The query goes on when ctx ends: others
// may wait for it.
func (a *asker) ask(ctx context.Context, key string) (*answer, error) {
	b, err := a.join(ctx, key)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.done:
		return b.answers[key], b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *asker) join(ctx context.Context, key string) (*batch, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == nil {
		a.next = &batch{keys: map[string]struct{}{}, done: make(chan struct{})}
	}
	b := a.next
	if _, asked := b.keys[key]; !asked && len(b.keys) >= mostAsked {
		return nil, errBusy
	}
	b.keys[key] = struct{}{}
	if !a.running {
		a.running = true
		go a.run(context.WithoutCancel(ctx))
	}
	return b, nil
}

// run sends queries until nobody waits for one.
func (a *asker) run(ctx context.Context) {
	for {
		a.mu.Lock()
		b := a.next
		a.next, a.running = nil, b != nil
		if b == nil {
			a.ended.Broadcast()
		}
		a.mu.Unlock()
		if b == nil {
			return
		}
		if unknown := a.send(ctx, b); unknown >= floodSize {
			time.Sleep(floodPause)
		}
	}
}

// send sends one query and returns how many of its keys lead nowhere.
func (a *asker) send(ctx context.Context, b *batch) int {
	defer close(b.done)
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	keys := make([]string, 0, len(b.keys))
	for key := range b.keys {
		keys = append(keys, key)
	}
	generation := a.begin()
	rows, err := a.query(ctx, keys)
	if err != nil {
		b.err = err
		return 0
	}
	b.answers = a.settle(generation, keys, rows)
	return len(keys) - len(b.answers)
}

// wait returns when no query is under way. Others may be asked for meanwhile, by requests that a drain did not
// wait for.
func (a *asker) wait() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.running {
		a.ended.Wait()
	}
}
