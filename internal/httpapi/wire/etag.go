package wire

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// ETag is the entity tag of a resource that was last changed at updatedAt: strong, and as fine as
// PostgreSQL's microseconds.
func ETag(updatedAt time.Time) string {
	return `"` + strconv.FormatInt(updatedAt.UnixMicro(), 36) + `"`
}

// IfMatch is embedded in the input of operations that change a resource.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the resource as the client knows it; a change in between is answered with 412."`
}

// Check returns a PreconditionFailed fault if the client knows another state of the resource than that
// of updatedAt (RFC 9110 §13.1.1: strong comparison, * is any state). Without If-Match it is content.
func (m IfMatch) Check(updatedAt time.Time) error {
	state := strings.TrimSuffix(ETag(updatedAt), `"`)
	if m.IfMatch == "" || hasTag(m.IfMatch, false, func(tag string) bool {
		rest, ok := strings.CutPrefix(tag, state)
		return ok && (rest == `"` || rest[0] == '.') // see shownTag
	}) {
		return nil
	}
	return fault.New(fault.PreconditionFailed, "The resource was changed in between. Fetch it again and repeat the change.")
}

// shownTag is the entity tag of a resource that shows more than changes of it: what it shows stands behind
// the tag of its last change.
func shownTag(body any, updatedAt time.Time) string {
	digest := fnv.New64a()
	_ = json.NewEncoder(digest).Encode(body) // what can't be encoded can't be answered with either
	return strings.TrimSuffix(ETag(updatedAt), `"`) + "." + strconv.FormatUint(digest.Sum64(), 36) + `"`
}

// hasTag reports whether a list of entity tags (RFC 9110 §8.8.3) holds one that is meant, without regard to
// its W/. Weak ones count only if weak is set. What is not a list of tags holds none.
func hasTag(list string, weak bool, meant func(tag string) bool) bool {
	rest := strings.Trim(list, " \t")
	if rest == "*" {
		return true
	}
	found := false
	for rest != "" {
		if rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t' {
			rest = rest[1:]
			continue
		}
		opaque, isWeak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(opaque, `"`) {
			return false
		}
		end := strings.IndexByte(opaque[1:], '"') + 2
		if end < 2 {
			return false
		}
		found = found || (weak || !isWeak) && meant(opaque[:end])
		rest = strings.TrimLeft(opaque[end:], " \t")
		if rest != "" && rest[0] != ',' {
			return false
		}
	}
	return found
}
