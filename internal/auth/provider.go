package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/rs/zerolog"
)

const (
	// providerPause is the least time between two requests for the same of an identity provider's
	// documents: whoever makes up tokens must not make us ask for their keys each time.
	providerPause   = 10 * time.Second
	providerTimeout = 5 * time.Second
	providerMost    = 1 << 20 // bytes of a document
)

// Provider is an identity provider (OpenID Connect) whose tokens operators may use. It is asked for its
// keys when they are needed first, and again when a token has a new one; until it answers, its tokens are
// refused, and all others are good as ever.
type Provider struct {
	issuer, audience string
	now              func() time.Time
	client           *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the provider has answered
}

// NewProvider returns the provider with the given issuer URL. Its tokens must be meant for audience.
func NewProvider(issuer, audience string, now func() time.Time, log zerolog.Logger) *Provider {
	transport := &sparing{next: http.DefaultTransport, now: now, log: log, asked: map[string]time.Time{}}
	return &Provider{issuer: issuer, audience: audience, now: now, client: &http.Client{Transport: transport, Timeout: providerTimeout}}
}

// issued reports whether a token says that it is the provider's.
func (p *Provider) issued(token string) bool { return claimedIssuer(token) == p.issuer }

// email returns the e-mail address that the provider vouches for.
func (p *Provider) email(ctx context.Context, token string) (string, error) {
	verifier, err := p.discover()
	if err != nil {
		return "", refused().Because(err)
	}
	checked, err := verifier.Verify(ctx, token)
	if err != nil {
		return "", refused().Because(err)
	}
	var person struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := checked.Claims(&person); err != nil || !person.Verified {
		return "", refused().Because(err)
	}
	email, err := Email("", person.Email)
	if err != nil {
		return "", refused().Because(err)
	}
	return email, nil
}

func (p *Provider) discover() (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier == nil {
		// Not the context of the request that comes first: this is for all to come.
		found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.issuer)
		if err != nil {
			return nil, err
		}
		p.verifier = found.Verifier(&oidc.Config{ClientID: p.audience, Now: p.now})
	}
	return p.verifier, nil
}

// sparing asks for a document only now and then.
type sparing struct {
	next http.RoundTripper
	now  func() time.Time
	log  zerolog.Logger

	mu    sync.Mutex
	asked map[string]time.Time // by URL
}

var errSpared = errors.New("the identity provider was asked for this a moment ago")

// RoundTrip asks, unless the last time was just now.
func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	url, now := r.URL.String(), s.now()
	s.mu.Lock()
	last, before := s.asked[url]
	spare := before && now.Sub(last) < providerPause
	if !spare {
		s.asked[url] = now
	}
	s.mu.Unlock()
	if spare {
		return nil, errSpared
	}
	response, err := s.next.RoundTrip(r)
	if err != nil {
		s.log.Warn().Err(err).Msg("the identity provider can't be reached")
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		s.log.Warn().Int("status", response.StatusCode).Msg("the identity provider does not answer as it should")
	}
	response.Body = http.MaxBytesReader(nil, response.Body, providerMost)
	return response, nil
}
