package wire

import "strings"

// RespondAsync is the preference for an answer before the work is done (RFC 7240, 4.1).
const RespondAsync = "respond-async"

// Prefer is embedded in the input of operations that may take long.
type Prefer struct {
	Prefer string `header:"Prefer" example:"respond-async" doc:"respond-async: answer 202 at once, with an operation that does the work."`
}

// Async reports whether the client does not want to wait for the end.
func (p Prefer) Async() bool {
	for preference := range strings.SplitSeq(p.Prefer, ",") {
		name, _, _ := strings.Cut(preference, ";")
		if strings.EqualFold(strings.TrimSpace(name), RespondAsync) {
			return true
		}
	}
	return false
}
