package wire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

const (
	defaultMaxBody = 1 << 20
	// mostTime is how long an operation may take, until a stream of events begins: see BeginEvents. It must
	// end while the server still writes answers.
	mostTime = time.Minute
)

type urlKey struct{}

// receive is the first middleware of every operation. It refuses what no operation takes, and gives
// those after it a context that reads bodies strictly and answers conditional requests.
func receive(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	limited, cancel := context.WithTimeout(context.WithValue(ctx.Context(), urlKey{}, r.URL), mostTime)
	defer cancel()
	x := &exchange{humaContext: ctx, r: r, w: w, ctx: limited}
	err := checkAccept(ctx.Operation(), strings.Join(r.Header.Values("Accept"), ","))
	if err == nil {
		err = checkParameters(ctx, r.URL.RawQuery)
	}
	if err != nil {
		Fail(x, err)
		return
	}
	next(x)
}

// checkParameters refuses text that PostgreSQL can't hold, NUL and what is not UTF-8, and parameters
// given twice, of which huma would silently drop one.
func checkParameters(ctx huma.Context, rawQuery string) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return fault.New(fault.MalformedRequest, "The query is not well-formed.")
	}
	parameters := ctx.Operation().Parameters
	for _, p := range parameters {
		if p.In == "path" && !isText(ctx.Param(p.Name)) || p.In == "header" && !isText(ctx.Header(p.Name)) {
			return fault.Invalid(p.In+"."+p.Name, notText)
		}
	}
	for name, values := range query {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return fault.Invalid("query."+strings.ToValidUTF8(name, "?"), notText)
		}
		many := func(p *huma.Param) bool { return p.Name == name && p.Explode != nil && *p.Explode }
		if len(values) > 1 && !slices.ContainsFunc(parameters, many) {
			return fault.Invalid("query."+name, "is given more than once")
		}
	}
	return nil
}

const notText = "must be UTF-8 text without NUL characters"

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// checkAccept refuses a request that takes none of the operation's media types (RFC 9110 §12.5.1).
// Those who take problems are content too: they asked for JSON by another name.
func checkAccept(op *huma.Operation, accept string) error {
	if strings.Trim(accept, " ,\t") == "" {
		return nil
	}
	offers := []string{jsonType, problemType}
	for _, response := range op.Responses {
		for offer := range response.Content {
			offers = append(offers, offer)
		}
	}
	for item := range strings.SplitSeq(accept, ",") {
		wanted, params, _ := strings.Cut(strings.ToLower(item), ";")
		wanted = strings.TrimSpace(wanted)
		quality := strings.ReplaceAll(params, " ", "")
		if strings.HasPrefix(quality, "q=0") && strings.Trim(quality, "q=0.") == "" {
			continue
		}
		group, isGroup := strings.CutSuffix(wanted, "*")
		if wanted == "*/*" || slices.Contains(offers, wanted) ||
			isGroup && strings.HasSuffix(group, "/") && slices.ContainsFunc(offers, func(o string) bool { return strings.HasPrefix(o, group) }) {
			return nil
		}
	}
	return fault.New(fault.NotAcceptable, "The answer would be %s.", jsonType)
}

// humaContext lets exchange embed an interface that has a method Context.
type humaContext huma.Context

// exchange is huma's context of one request with our manners.
type exchange struct {
	humaContext
	r    *http.Request
	w    http.ResponseWriter
	ctx  context.Context //nolint:containedctx // it is huma's context of one request, and ends with it
	mute bool            // the answer has no body

	// The body, once it is read.
	read bool
	data []byte
	err  error
}

func (x *exchange) Unwrap() huma.Context     { return x.humaContext }
func (x *exchange) Context() context.Context { return x.ctx }

// Header joins the lines of a header that is given more than once (RFC 9110 §5.3), so that If-Match is
// complete and a second Authorization spoils the first.
func (x *exchange) Header(name string) string { return strings.Join(x.r.Header.Values(name), ", ") }

// SetStatus answers a GET of what the client already has with 304 (RFC 9110 §13.1.2).
func (x *exchange) SetStatus(status int) {
	header := x.w.Header()
	tag := header.Get("ETag")
	reads := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
	if reads && status == http.StatusOK && tag != "" {
		if cmp.Or(header.Get("Cache-Control"), "no-store") == "no-store" {
			header["Cache-Control"] = askAgain
		}
		if hasTag(x.Header("If-None-Match"), true, func(known string) bool { return known == tag }) {
			status, x.mute = http.StatusNotModified, true
			header.Del("Content-Type")
		}
	}
	x.humaContext.SetStatus(status)
}

// BodyWriter drops the body of a 304.
func (x *exchange) BodyWriter() io.Writer {
	if x.mute {
		return io.Discard
	}
	return x.humaContext.BodyWriter()
}

// BodyReader reads the body whole and checks it, JSON strictly. It may be called again, as by a
// middleware that compares bodies, and starts anew each time.
func (x *exchange) BodyReader() io.Reader {
	if !x.read {
		x.read = true
		x.data, x.err = x.readBody()
	}
	if x.err != nil {
		return failing{x.err}
	}
	return bytes.NewReader(x.data)
}

func (x *exchange) readBody() ([]byte, error) {
	isJSON, err := x.checkContentType()
	if err != nil {
		return nil, err
	}
	lift := x.limitBody()
	data, err := io.ReadAll(x.r.Body)
	if err != nil {
		return nil, readFault(err)
	}
	lift()
	if isJSON && len(data) > 0 {
		err = checkJSON(data)
	}
	return data, err
}

// limitBody limits the body's size and, until lift is called, the time to read it. A deadline that
// outlives the body cancels the context of handlers that take longer, since net/http goes on reading to
// learn of a client that leaves. After a failure it has to stay: net/http then reads what is left over.
func (x *exchange) limitBody() (lift func()) {
	limit := cmp.Or(x.Operation().MaxBodyBytes, defaultMaxBody)
	switch {
	case limit > 0 && x.r.ContentLength > limit: // refused before a byte of it is read
		x.r.Body = io.NopCloser(failing{&http.MaxBytesError{Limit: limit}})
	case limit > 0:
		x.r.Body = http.MaxBytesReader(bottom(x.w), x.r.Body, limit)
	}
	var deadline time.Time
	timeout := x.Operation().BodyReadTimeout
	if timeout == 0 || x.r.ContentLength == 0 {
		return func() {}
	} else if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	_ = x.humaContext.SetReadDeadline(deadline) // not every connection knows deadlines
	return func() { _ = x.humaContext.SetReadDeadline(time.Time{}) }
}

// bottom is net/http's own writer: told that a body is too large, it answers without waiting for the rest.
func bottom(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// SetReadDeadline does nothing: huma sets a deadline that it never lifts. See limitBody.
func (x *exchange) SetReadDeadline(time.Time) error { return nil }

// checkContentType refuses media types that the operation does not name, charsets other than UTF-8
// and compressed bodies. A body without a media type is taken for JSON.
func (x *exchange) checkContentType() (isJSON bool, err error) {
	if x.Operation().RequestBody == nil || x.r.ContentLength == 0 {
		return false, nil
	}
	content := x.Operation().RequestBody.Content
	if encoding := x.Header("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false, fault.New(fault.UnsupportedMediaType, "Compressed bodies are not supported.")
	}
	given := x.Header("Content-Type")
	if given == "" && content[jsonType] != nil {
		return true, nil
	}
	media, params, err := mime.ParseMediaType(given)
	charset := cmp.Or(strings.ToLower(params["charset"]), "utf-8")
	if err != nil || content[media] == nil || strings.HasSuffix(media, "json") && charset != "utf-8" {
		offers := make([]string, 0, len(content))
		for offer := range content {
			offers = append(offers, offer)
		}
		slices.Sort(offers)
		return false, fault.New(fault.UnsupportedMediaType, "The body must be %s.", strings.Join(offers, " or "))
	}
	return strings.HasSuffix(media, "json"), nil
}

// readFault says why a body could not be read. A body that came too slowly is the client's fault too.
func readFault(err error) error {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return faultOf(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.New(fault.MalformedRequest, "The body did not arrive in time.")
	}
	return fault.New(fault.MalformedRequest, "The body could not be read to its end.").Because(err)
}

// failing is a body that can't be read; huma hands its error to the one door.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
