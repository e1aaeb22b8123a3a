package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	eventsType   = "text/event-stream"
	eventTimeout = 10 * time.Second // for the client to take one event
	retryEvents  = time.Second      // for the client to come back after
)

// Heartbeat is how often a stream of events says that it lives while nothing happens: less than what
// proxies take for silence.
const Heartbeat = 15 * time.Second

// DescribeEvents documents an operation as a stream of events (WHATWG HTML, 9.2) whose data is JSON of
// the type of which example is a value.
func DescribeEvents(api huma.API, op *huma.Operation, example any, description string) {
	op.Responses = map[string]*huma.Response{
		"200": {Description: description, Content: map[string]*huma.MediaType{
			eventsType: {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(example), true, "")},
		}},
		"204": {Description: "There is nothing after Last-Event-ID, and never will be: do not come back."},
	}
}

// Events is a stream of events that has begun.
type Events struct {
	// Gone is closed when the client has left.
	Gone <-chan struct{}

	w          http.ResponseWriter
	controller *http.ResponseController
}

// BeginEvents answers with a stream of events, which may go on for any time: only each write has a
// deadline, and not that of ctx, which is for the work before the stream.
func BeginEvents(ctx huma.Context) (*Events, error) {
	r, w := humago.Unwrap(ctx)
	header := w.Header()
	header.Set("Content-Type", eventsType)
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	e := &Events{r.Context().Done(), w, http.NewResponseController(w)}
	return e, e.write(fmt.Appendf(nil, "retry: %d\n\n", retryEvents.Milliseconds()))
}

// Send sends an event. By id the client says, when it comes back, what it has seen.
func (e *Events) Send(name, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return e.write(fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", name, id, text))
}

// Beat sends what clients pass over: it keeps the connection alive, and finds out whether it is.
func (e *Events) Beat() error { return e.write([]byte(":\n\n")) }

func (e *Events) write(text []byte) error {
	if err := e.controller.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return e.controller.Flush()
}
