package wire

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// mismatchPrefix marks the errors of unmarshal that name a field.
const mismatchPrefix = "wrong type in "

// fieldOf turns what huma says of a wrong value into ours: the place itself, not its parent, and never
// the value.
func fieldOf(d *huma.ErrorDetail) fault.Field {
	at, message := d.Location, d.Message
	if name, ok := strings.CutPrefix(message, mismatchPrefix); ok {
		at, message = at+"."+name, "holds a value of the wrong type"
	}
	if name, ok := between(message, "expected required property ", " to be present"); ok {
		at, message = at+"."+name, "is required"
	}
	if strings.HasPrefix(message, "required ") && strings.HasSuffix(message, " parameter is missing") {
		message = "is required"
	}
	if reason, ok := strings.CutPrefix(message, "invalid value: "); ok {
		message = unmarshalMessage(reason)
	}
	message = strings.Replace(message, `, <nil>"`, `"`, 1) // null in an enum, see enumHoldsNull
	const longest = 200                                    // a location may hold a key that the client made up
	if len(at) > longest {
		at = strings.ToValidUTF8(at[:longest], "") + "..."
	}
	return fault.Field{Location: at, Message: message}
}

// unmarshalMessage is what may be shown of the error of an UnmarshalText: ours begin with "expected".
func unmarshalMessage(reason string) string {
	switch {
	case strings.HasPrefix(reason, "expected "):
		return reason
	case strings.Contains(reason, "UUID"):
		return "expected a UUID"
	}
	return "is not valid"
}

func between(s, before, after string) (string, bool) {
	s, ok := strings.CutPrefix(s, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, after)
}
