package wire

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// maxFields bounds the errors of one answer: a body may hold a hundred thousand of them.
const maxFields = 50

// Problem is the body of every answer that is an error (RFC 9457).
type Problem struct {
	Type      string         `json:"type" format:"uri" example:"urn:homeroom:problem:invalid-input" doc:"The kind of problem: urn:homeroom:problem: and the code."`
	Title     string         `json:"title" example:"The input is not valid" doc:"The kind of problem in words; the same for every occurrence."`
	Status    int            `json:"status" example:"422" doc:"The HTTP status."`
	Detail    string         `json:"detail" doc:"What is wrong this time, in a sentence."`
	Code      string         `json:"code" example:"invalid-input" doc:"The kind of problem, for programs."`
	RequestID string         `json:"request_id" doc:"Names this request in the service's logs."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"The parts of the input that are to blame."`

	headers http.Header
}

// ProblemField is one part of the input that is to blame. It never holds the refused value, which
// may be a secret.
type ProblemField struct {
	Location string `json:"location" example:"body.domains[1].domain" doc:"Where: body, path, query or header, and the way from there."`
	Message  string `json:"message" doc:"What is wrong there."`
}

// Error returns the code and the detail.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is where huma finds the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is where huma finds the media type.
func (p *Problem) ContentType(string) string { return problemType }

// problemResponse is the answer that every operation documents as its default.
func problemResponse(r huma.Registry) *huma.Response {
	schema := r.Schema(reflect.TypeFor[Problem](), true, "")
	code := r.SchemaFromRef(schema.Ref).Properties["code"]
	for _, kind := range slices.Sorted(maps.Keys(answers)) {
		code.Enum = append(code.Enum, string(kind))
	}
	return &huma.Response{
		Description: "What went wrong; its code says which kind of problem it is.",
		Content:     map[string]*huma.MediaType{problemType: {Schema: schema}},
	}
}

type answer struct {
	status int
	title  string
	retry  time.Duration // Retry-After of faults that name none
}

// answers is the one table from a fault's kind to what HTTP says of it.
var answers = map[fault.Kind]answer{
	fault.UnknownHost:          {404, "No school answers at this host", 0},
	fault.NotFound:             {404, "Not found", 0},
	fault.SchoolInactive:       {403, "The school is not active", 0},
	fault.SchoolUnavailable:    {503, "The school is not available now", 5 * time.Second},
	fault.Unauthenticated:      {401, "Authentication is needed", 0},
	fault.Forbidden:            {403, "Not allowed", 0},
	fault.InvalidInput:         {422, "The input is not valid", 0},
	fault.MalformedRequest:     {400, "The request is malformed", 0},
	fault.Conflict:             {409, "In conflict with what exists", 0},
	fault.PreconditionFailed:   {412, "The resource has changed", 0},
	fault.TooLarge:             {413, "The request is too large", 0},
	fault.UnsupportedMediaType: {415, "The body's media type is not supported", 0},
	fault.MethodNotAllowed:     {405, "The method is not allowed", 0},
	fault.NotAcceptable:        {406, "No acceptable media type", 0},
	fault.RateLimited:          {429, "Too many requests", time.Second},
	fault.DatabaseUnavailable:  {503, "The database is not available now", time.Second},
	fault.Internal:             {500, "Internal error", 0},
}

// kindOf is the kind of an error that huma gave a status.
func kindOf(status int) fault.Kind {
	switch status {
	case 406, 413, 415, 422:
		for kind, a := range answers {
			if a.status == status {
				return kind
			}
		}
	}
	if status < 500 {
		return fault.MalformedRequest
	}
	return fault.Internal
}

// WriteProblem answers a request with err, outside of an operation: not found, a recovered panic, a
// host that no school has. The cause of a 5xx is logged with the logger of the request's context.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(r.Context(), w, err)
}

// Fail answers with err from a middleware of an operation, which then must not call next.
func Fail(ctx huma.Context, err error) {
	_, w := humago.Unwrap(ctx)
	writeProblem(ctx.Context(), w, err)
}

func writeProblem(ctx context.Context, w http.ResponseWriter, err error) {
	p := problemFor(ctx, err)
	header := w.Header()
	for name, values := range p.headers {
		header[name] = values
	}
	header.Set("Content-Type", problemType)
	header.Set("Cache-Control", "no-store")
	for _, name := range []string{"Content-Length", "Content-Encoding", "ETag", "Last-Modified"} {
		header.Del(name)
	}
	w.WriteHeader(p.Status)
	_ = marshal(w, p)
}

// newError is huma.NewError, of which huma only asks what type an error has.
func newError(status int, _ string, _ ...error) huma.StatusError { return &Problem{Status: status} }

// newErrorWithContext is huma.NewErrorWithContext: every error of an operation comes by here.
func newErrorWithContext(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	p := problemFor(ctx.Context(), faultFrom(status, message, errs))
	for name, values := range p.headers {
		ctx.SetHeader(name, values[0])
	}
	return p
}

// problemFor turns err into a problem and logs the cause if it is ours.
func problemFor(ctx context.Context, err error) *Problem {
	p := problemOf(faultOf(err))
	p.RequestID = RequestID(ctx)
	logCause(ctx, p, err)
	return p
}

// logCause logs what lies behind a 5xx, if there is more to it than the answer says.
func logCause(ctx context.Context, p *Problem, err error) {
	if f := faultOf(err); p.Status < 500 || f.Cause == nil && f.Kind != fault.Internal {
		return
	}
	level := zerolog.ErrorLevel
	if errors.Is(ctx.Err(), context.Canceled) {
		level = zerolog.DebugLevel // the client left; what broke off because of that is no news
	}
	zerolog.Ctx(ctx).WithLevel(level).Err(err).Str("code", p.Code).Msg("request not answered")
}

// faultOf is fault.Of, and knows the errors of net/http and context.
func faultOf(err error) *fault.Error {
	var f *fault.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &tooLarge):
		return fault.New(fault.TooLarge, "The body may have at most %d bytes.", tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault.New(fault.DatabaseUnavailable, "The answer was not ready in time. Try again.").Because(err)
	}
	return fault.Of(err)
}

func problemOf(f *fault.Error) *Problem {
	a, known := answers[f.Kind]
	if !known {
		f = &fault.Error{Kind: fault.Internal, Message: "Something went wrong on our side.", Cause: f}
		a = answers[fault.Internal]
	}
	p := &Problem{
		Type: "urn:homeroom:problem:" + string(f.Kind), Title: a.title, Status: a.status,
		Detail: cmp.Or(f.Message, a.title+"."), Code: string(f.Kind), headers: http.Header{},
	}
	for _, field := range f.Fields[:min(len(f.Fields), maxFields)] {
		p.Errors = append(p.Errors, ProblemField(field))
	}
	if wait := cmp.Or(f.RetryAfter, a.retry); wait > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if a.status == http.StatusUnauthorized {
		p.headers.Set("WWW-Authenticate", `Bearer realm="homeroom"`)
	}
	return p
}

// faultFrom makes one fault of what huma found wrong with a request, or of what a handler returned.
func faultFrom(status int, message string, errs []error) *fault.Error {
	result := &fault.Error{Kind: kindOf(status), Message: message}
	for _, err := range errs {
		var f *fault.Error
		var detail huma.ErrorDetailer
		switch {
		case errors.As(err, &f) && (f.Kind != fault.InvalidInput || len(errs) == 1):
			return keepContext(f, err)
		case f != nil:
			result.Fields = append(result.Fields, f.Fields...)
		case errors.As(err, &detail):
			result.Fields = append(result.Fields, fieldOf(detail.ErrorDetail()))
		}
	}
	switch {
	case status >= 500 && len(errs) > 0:
		return faultOf(errors.Join(errs...))
	case status >= 500:
		return faultOf(errors.New(message))
	case message == "validation failed":
		result.Message = "Some of the input is not valid."
	}
	slices.SortStableFunc(result.Fields, func(a, b fault.Field) int { return strings.Compare(a.Location, b.Location) })
	return result
}

// keepContext returns f with err as its cause when err says more than f, so that the log has it.
func keepContext(f *fault.Error, err error) *fault.Error {
	if err.Error() == f.Error() {
		return f
	}
	wrapped := *f
	wrapped.Cause = err
	return &wrapped
}
