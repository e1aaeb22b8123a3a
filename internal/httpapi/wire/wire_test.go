package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

type StudentInput struct {
	Name    string        `json:"name" minLength:"1" maxLength:"20"`
	Born    *wire.Date    `json:"born,omitempty"`
	Email   string        `json:"email,omitempty" format:"email"`
	Grade   int           `json:"grade,omitempty" minimum:"1" maximum:"13"`
	Gender  *string       `json:"gender,omitempty" enum:"female,male,other"`
	Tags    []string      `json:"tags,omitempty" maxItems:"3"`
	House   string        `json:"house,omitempty" default:"north"`
	Note    *string       `json:"note"`
	Address *AddressInput `json:"address,omitempty"`
}

type AddressInput struct {
	City string `json:"city"`
	Zip  string `json:"zip,omitempty" pattern:"^[0-9]{5}$"`
}

type Student struct {
	ID     uuid.UUID  `json:"id" format:"uuid"`
	Name   string     `json:"name"`
	Born   *wire.Date `json:"born"`
	Gender *string    `json:"gender" enum:"female,male,other"`
	House  string     `json:"house"`
}

var (
	known     = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	updatedAt = time.Date(2026, 3, 4, 5, 6, 7, 89000, time.UTC)
	path      = "/api/students/" + known.String() + "/"
)

func load(id uuid.UUID) (Student, error) {
	if id != known {
		return Student{}, fmt.Errorf("loading a student: %w", fault.New(fault.NotFound, "There is no such student."))
	}
	return Student{ID: known, Name: "Ada"}, nil
}

type listInput struct {
	wire.PageInput
	Since wire.Date `query:"since"`
	Sort  string    `query:"sort" enum:"name,born"`
}

func register(api huma.API) {
	students := huma.NewGroup(api, "/api")
	huma.Register(students, huma.Operation{
		OperationID: "list-students", Method: http.MethodGet, Path: "/students/",
	}, func(ctx context.Context, in *listInput) (*wire.PageOutput[Student], error) {
		if in.Cursor == "last" {
			return wire.NewPage[Student](ctx, nil, ""), nil
		}
		return wire.NewPage(ctx, []Student{{Name: in.Since.String(), House: fmt.Sprint(in.Limit)}}, "a&b>"), nil
	})
	huma.Register(students, huma.Operation{
		OperationID: "create-student", Method: http.MethodPost, Path: "/students/", DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *struct{ Body StudentInput }) (*wire.Created[Student], error) {
		return wire.NewCreated(Student{ID: known, Name: in.Body.Name, Born: in.Body.Born, House: in.Body.House}, updatedAt, path), nil
	})
	huma.Register(students, huma.Operation{
		OperationID: "get-student", Method: http.MethodGet, Path: "/students/{id}/", Security: wire.Public(),
	}, func(_ context.Context, in *struct{ wire.IDInput }) (*wire.Item[Student], error) {
		student, err := load(in.ID)
		if err != nil {
			return nil, err
		}
		return wire.NewItem(student, updatedAt), nil
	})
	huma.Register(students, huma.Operation{
		OperationID: "update-student", Method: http.MethodPatch, Path: "/students/{id}/",
	}, func(_ context.Context, in *struct {
		wire.IDInput
		wire.IfMatch
		Body wire.Patch[StudentInput]
	},
	) (*wire.Item[StudentInput], error) {
		if err := in.Check(updatedAt); err != nil {
			return nil, err
		}
		patched, err := in.Body.Apply(StudentInput{Name: "Ada", Email: "ada@example.org", Grade: 3, House: "south"})
		if err != nil {
			return nil, err
		}
		return wire.NewItem(patched, updatedAt), nil
	})
	huma.Register(students, huma.Operation{
		OperationID: "import-students", Method: http.MethodPost, Path: "/imports/", MaxBodyBytes: 100,
	}, func(_ context.Context, in *struct {
		RawBody []byte `contentType:"text/csv"`
	},
	) (*struct{}, error) {
		return nil, fault.Invalid("body", "%d bytes of csv", len(in.RawBody))
	})
	registerFailures(api)
}

// registerFailures makes an operation for each way in which a handler may end.
func registerFailures(api huma.API) {
	failures := map[string]error{
		"plain":    errors.New(`ERROR: relation "secret_table" does not exist (SQLSTATE 42P01)`),
		"wrapped":  fmt.Errorf("creating: %w", fault.New(fault.Conflict, "That code is taken.").Because(errors.New("secret_table"))),
		"token":    fault.New(fault.Unauthenticated, "The token has expired."),
		"moving":   &fault.Error{Kind: fault.SchoolUnavailable, Message: "It is being moved.", RetryAfter: 1500 * time.Millisecond},
		"limited":  fault.New(fault.RateLimited, "Slower, please."),
		"deadline": fmt.Errorf("secret_table: %w", context.DeadlineExceeded),
		"unknown":  fault.New("no-such-kind", "secret_table"),
	}
	for name, err := range failures {
		huma.Register(api, huma.Operation{OperationID: name, Method: http.MethodGet, Path: "/fail/" + name + "/"},
			func(context.Context, *struct{}) (*struct{}, error) { return nil, err })
	}
	huma.Register(api, huma.Operation{
		OperationID: "slow", Method: http.MethodPost, Path: "/slow/", BodyReadTimeout: 50 * time.Millisecond,
	}, func(ctx context.Context, _ *struct{ Body *AddressInput }) (*struct{}, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
			return &struct{}{}, nil
		}
	})
}

// serve starts a server with the sample API; what it logs goes to the returned buffer, which may be
// read after the server has answered.
func serve(t *testing.T) (*httptest.Server, huma.API, *bytes.Buffer) {
	t.Helper()
	mux, logged := http.NewServeMux(), &bytes.Buffer{}
	api := wire.NewAPI(mux, wire.Document{Title: "Sample <API>", Version: "1.2.3"}, func(ctx huma.Context, next func(huma.Context)) {
		if ctx.Header("Authorization") == "Bearer bad" && !wire.IsPublic(ctx.Operation()) {
			wire.Fail(ctx, fault.New(fault.Unauthenticated, "Who are you?"))
			return
		}
		// As a middleware does that compares a body with the one before.
		if _, err := io.Copy(io.Discard, ctx.BodyReader()); err != nil && ctx.Header("X-Strict") != "" {
			wire.Fail(ctx, err)
			return
		}
		next(ctx)
	})
	register(api)
	wire.Complete(api)
	logger := zerolog.New(logged)
	handler := wire.Handler(mux, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(logger.WithContext(wire.Begin(w, r, netip.Addr{}))))
	}))
	t.Cleanup(server.Close)
	return server, api, logged
}

type answer struct {
	status int
	header http.Header
	body   string
}

// exchange sends one request; headers are "Name: value" lines.
func exchange(t *testing.T, server *httptest.Server, method, target, headers, body string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + req.URL.Host + target // as it is, uncleaned
	for line := range strings.Lines(headers) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
			req.Header.Add(name, value)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}
