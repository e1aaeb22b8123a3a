package idempotency

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// answer is what a handler answered.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

func (a answer) encode() ([]byte, error) { return json.Marshal(a) }

func decode(plain []byte) (a answer, err error) {
	err = json.Unmarshal(plain, &a)
	return a, err
}

// play answers with it.
func (a answer) play(ctx huma.Context) {
	for name, values := range a.Header {
		for _, value := range values {
			ctx.AppendHeader(name, value)
		}
	}
	ctx.SetStatus(a.Status)
	_, _ = ctx.BodyWriter().Write(a.Body) // fails if the client is gone
}

// humaContext lets recorder embed an interface that has a method Context.
type humaContext huma.Context

// recorder takes the answer of a handler, to be kept before it is sent.
type recorder struct {
	humaContext
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Unwrap() huma.Context            { return r.humaContext }
func (r *recorder) SetStatus(status int)            { r.status = status }
func (r *recorder) Status() int                     { return r.status }
func (r *recorder) SetHeader(name, value string)    { r.header.Set(name, value) }
func (r *recorder) AppendHeader(name, value string) { r.header.Add(name, value) }
func (r *recorder) BodyWriter() io.Writer           { return &r.body }

func (r *recorder) taken() answer {
	return answer{cmp.Or(r.status, http.StatusOK), r.header, r.body.Bytes()}
}
