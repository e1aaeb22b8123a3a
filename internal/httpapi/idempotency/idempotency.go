// Package idempotency makes a POST that comes with an Idempotency-Key happen once: the same request again
// gets the first answer (draft-ietf-httpapi-idempotency-key-header).
//
// The key is claimed in a row of its own before the work begins, and the answer is put there when it is
// done. A request that finds the key claimed does not wait: it is told to come again. If the process dies
// between the two, or the database's answer to a commit is lost, nobody knows whether the work was done; the
// claim stays and the same request is refused until the key expires, for doing it twice is worse.
package idempotency

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/auth"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

const (
	name    = "Idempotency-Key"
	longest = 255
	// mostWork is how long the work may take. It goes on when the client leaves: that is when the client
	// comes again, and its effect must be known by then.
	mostWork = time.Minute
	// busy is longer: a claim must not count as cut off while its request is at work.
	busy = 2 * time.Minute
	life = 24 * time.Hour
)

// Guard lets a request through, once it is known who asks.
type Guard struct {
	DB        DB           // where its answer is kept
	Principal string       // who asks: keys of others are other keys
	Tokens    *auth.Tokens // seals the answer, which may hold secrets
}

// Describe documents the header on the operations that heed it; huma calls it for each.
func Describe(_ *huma.OpenAPI, op *huma.Operation) {
	if !heeds(op) {
		return
	}
	most := longest
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: name, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most}, Example: "019a1c5e-7b2f-7c43-9d1e-3f5a8b6c2d10",
		Description: "Makes it safe to send the request again: for 24 hours the same key and body get the first answer, the same key with another body 422. " +
			"409 with Retry-After while the first is at work; 409 without it if that was cut off, so that it is unknown what it has done.",
	})
}

// heeds reports whether the operation takes a key. Without a principal a key would be everybody's.
func heeds(op *huma.Operation) bool { return op.Method == http.MethodPost && !wire.IsPublic(op) }

// Middleware lets a request with a key through to its handler once.
func (g Guard) Middleware(ctx huma.Context, next func(huma.Context)) {
	if !heeds(ctx.Operation()) {
		next(ctx)
		return
	}
	r, _ := humago.Unwrap(ctx)
	given := r.Header[name]
	if given == nil {
		next(ctx)
		return
	}
	key, err := parse(given)
	if err != nil {
		wire.Fail(ctx, err)
		return
	}
	body, err := io.ReadAll(ctx.BodyReader())
	if err != nil {
		next(ctx) // says what is wrong with the body
		return
	}
	if err := g.once(ctx, key, fingerprint(key, r, body), next); err != nil {
		wire.Fail(ctx, err)
	}
}

// parse takes the key as it stands or, as the draft has it, in quotes.
func parse(given []string) (string, error) {
	key := given[0]
	if inner, ok := strings.CutPrefix(key, `"`); ok && strings.HasSuffix(inner, `"`) {
		key = strings.TrimSuffix(inner, `"`)
	}
	unprintable := strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' })
	if len(given) > 1 || key == "" || len(key) > longest || unprintable {
		return "", fault.Invalid("header."+name, "expected one key of 1 to 255 printable ASCII characters")
	}
	return key, nil
}

// fingerprint tells requests apart. It is keyed, so that nobody guesses bodies by the hashes.
func fingerprint(key string, r *http.Request, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, r.Method+" "+r.URL.RequestURI()+"\n") // hashes take everything
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

// once runs next and keeps its answer, or gives the answer that there is. The error is one to answer with.
func (g Guard) once(ctx huma.Context, key string, request []byte, next func(huma.Context)) error {
	kept := store{g.DB, g.Principal, sha256.Sum256([]byte(key))}
	id, err := kept.claim(ctx.Context(), request)
	if err != nil {
		return err
	}
	if id == nil {
		sealed, err := kept.look(ctx.Context(), request)
		if err != nil {
			return err
		}
		return g.again(ctx, kept.secret(key), sealed)
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), mostWork)
	defer cancel()
	work, doubt := fault.WithDoubt(work)
	answer := &recorder{humaContext: huma.WithContext(ctx, work), header: http.Header{}}
	next(answer)
	// Its own time: the work may have used up all of the other.
	keeping, done := context.WithTimeout(context.WithoutCancel(ctx.Context()), 5*time.Second)
	defer done()
	if err := g.keep(keeping, kept, *id, key, answer.taken(), doubt.Load()); err != nil {
		// The work is done; only what comes again is worse off.
		zerolog.Ctx(ctx.Context()).Error().Err(err).Msg("an answer could not be kept for its idempotency key")
	}
	answer.taken().play(ctx)
	return nil
}

// keep puts the answer away, or lets go of the key if a second try may turn out better. With a doubt whether
// the work that failed was done after all, there is none.
func (g Guard) keep(ctx context.Context, kept store, id claim, key string, a answer, doubt bool) error {
	failed := a.Status >= http.StatusInternalServerError || a.Status == http.StatusTooManyRequests
	switch {
	case failed && doubt:
		return kept.abandon(ctx, id)
	case failed:
		return kept.release(ctx, id)
	}
	plain, err := a.encode()
	if err != nil {
		return err
	}
	sealed, err := g.Tokens.Seal(kept.secret(key), plain)
	if err != nil {
		return err
	}
	return kept.keep(ctx, id, sealed)
}

// again gives the first answer. The service may have lost the key that opens it.
func (g Guard) again(ctx huma.Context, secret string, sealed []byte) error {
	plain, err := g.Tokens.Open(secret, sealed)
	if err != nil {
		return conflict("The request was carried out before, but its answer can't be shown again.").Because(err)
	}
	first, err := decode(plain)
	if err != nil {
		return err
	}
	ctx.SetHeader("Idempotency-Replayed", "true")
	first.play(ctx)
	return nil
}

func conflict(message string) *fault.Error {
	return &fault.Error{Kind: fault.Conflict, Message: message, Fields: []fault.Field{{Location: "header." + name, Message: message}}}
}
