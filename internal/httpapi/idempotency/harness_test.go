package idempotency_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/idempotency"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

const secret = "hr_only_shown_once"

// place is an API whose one operation counts how often it is carried out.
type place struct {
	url     string
	db      *publicdb.Client
	done    atomic.Int64
	started chan struct{} // a message for each request that is at work
	hold    chan struct{} // if set, the work waits until it is closed
	fails   atomic.Pointer[fault.Error]
	doubt   bool // whether the work was done is unknown
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{db: testkit.Registry(t).Public(), started: make(chan struct{}, 1000)}
	p.url = p.serve(t, 7)
	return p
}

// serve answers with a signing key of the caller's.
func (p *place) serve(t *testing.T, seed byte) string {
	t.Helper()
	tokens, err := auth.NewTokens(bytes.Repeat([]byte{seed}, 32), time.Now)
	must(t, err)
	mux := http.NewServeMux()
	api := wire.NewAPI(mux, wire.Document{}, func(ctx huma.Context, next func(huma.Context)) {
		guard := idempotency.Guard{DB: p.db, Principal: ctx.Header("Authorization"), Tokens: tokens}
		guard.Middleware(ctx, next)
	})
	api.OpenAPI().OnAddOperation = append(api.OpenAPI().OnAddOperation, idempotency.Describe)
	p.register(api)
	handler := wire.Handler(mux, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		handler.ServeHTTP(w, r.WithContext(wire.Begin(w, r, netip.Addr{})))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

type thing struct {
	Name  string `json:"name" minLength:"1"`
	Count int64  `json:"count,omitempty"`
	Token string `json:"token,omitempty"`
}

func (p *place) register(api huma.API) {
	work := func(ctx context.Context, in *struct{ Body thing }) (*wire.Created[thing], error) {
		p.started <- struct{}{}
		if p.hold != nil {
			<-p.hold
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p.doubt {
			fault.Doubt(ctx)
		}
		if in.Body.Name == "panic" {
			panic("in the middle")
		}
		if f := p.fails.Load(); f != nil {
			return nil, f
		}
		in.Body.Count, in.Body.Token = p.done.Add(1), secret
		return wire.NewCreated(in.Body, time.Unix(in.Body.Count, 0), "/things/1/"), nil
	}
	for _, op := range []huma.Operation{
		{OperationID: "create", Method: http.MethodPost, Path: "/things/", DefaultStatus: 201},
		{OperationID: "other", Method: http.MethodPost, Path: "/others/", DefaultStatus: 201},
		{OperationID: "put", Method: http.MethodPut, Path: "/things/", DefaultStatus: 201},
		{OperationID: "login", Method: http.MethodPost, Path: "/login/", DefaultStatus: 201, Security: wire.Public()},
	} {
		huma.Register(api, op, work)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is an answer; text is its head and body without what differs from request to request.
type reply struct {
	status int
	header http.Header
	text   string
}

func (p *place) post(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	return send(t, http.MethodPost, p.url+path, body, headers...)
}

func send(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	must(t, err)
	request.Header.Set("Authorization", "ann")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Authorization" {
			request.Header.Del(name)
		}
		request.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	kept := response.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "Idempotency-Replayed"} {
		kept.Del(name)
	}
	var head strings.Builder
	must(t, kept.Write(&head))
	return reply{response.StatusCode, response.Header, head.String() + string(text)}
}
