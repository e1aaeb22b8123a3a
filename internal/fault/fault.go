// Package fault names the ways in which work fails, free of any transport. A fault's message is
// safe to show to whoever asked; its cause is only ever logged.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the stable code of a way to fail, as callers see it.
type Kind string

// The kinds, one for each code of the service's errors.
const (
	UnknownHost          Kind = "unknown-host"
	NotFound             Kind = "not-found"
	SchoolInactive       Kind = "school-inactive"
	SchoolUnavailable    Kind = "school-unavailable"
	Unauthenticated      Kind = "unauthenticated"
	Forbidden            Kind = "forbidden"
	InvalidInput         Kind = "invalid-input"
	MalformedRequest     Kind = "malformed-request"
	Conflict             Kind = "conflict"
	PreconditionFailed   Kind = "precondition-failed"
	TooLarge             Kind = "too-large"
	UnsupportedMediaType Kind = "unsupported-media-type"
	MethodNotAllowed     Kind = "method-not-allowed"
	NotAcceptable        Kind = "not-acceptable"
	RateLimited          Kind = "rate-limited"
	DatabaseUnavailable  Kind = "database-unavailable"
	Internal             Kind = "internal"
)

// Field points at the part of the input that is to blame.
type Field struct {
	Location string // such as body.domains[1].domain
	Message  string
}

// Error is one failure.
type Error struct {
	Kind       Kind
	Message    string        // a sentence for whoever asked; never SQL, secrets or personal data
	Fields     []Field       // what in the input is to blame, where that is known
	RetryAfter time.Duration // when it is worth trying again; zero if unknown
	Cause      error         // what happened, for the log alone
}

// New makes a fault of the given kind; format and args make its message.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an InvalidInput fault that blames one part of the input.
func Invalid(location, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Kind: InvalidInput, Message: message, Fields: []Field{{location, message}}}
}

// Because returns e with the cause that is to be logged with it.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Error returns the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Of returns the fault in err's chain. An error that carries none is Internal: its text may name
// tables or hosts, so it becomes the cause and a plain sentence the message.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "Something went wrong on our side.", Cause: err}
}

// Is reports whether err carries a fault of the given kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
