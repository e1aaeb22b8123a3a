package auth

import (
	"context"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	publicdb "github.com/homeroom-sms/homeroom/ent/public"
)

// Gate tells who asks the platform for something.
type Gate struct {
	Public   *publicdb.Client
	Keys     FindKey // how API keys are found
	Tokens   *Tokens
	Provider *Provider // nil for none
	Now      func() time.Time
}

// ByBearer returns the principal of an API key, of an access token of the platform, or of a token of the
// identity provider. Operators are looked up each time: one who is switched off, or has another role now,
// is so at once.
func (g Gate) ByBearer(ctx context.Context, token string) (Principal, error) {
	if strings.HasPrefix(token, keyPrefix) {
		return ByKey(ctx, g.Public, g.Keys, token, g.Now())
	}
	if g.Provider != nil && g.Provider.issued(token) {
		email, err := g.Provider.email(ctx, token)
		if err != nil {
			return Principal{}, err
		}
		return ByEmail(ctx, g.Public, email)
	}
	claimed, err := g.Tokens.ByPlatformToken(token)
	if err != nil {
		return Principal{}, err
	}
	id, ok := claimed.Operator()
	if !ok {
		return Principal{}, refused()
	}
	return ByOperator(ctx, g.Public, id)
}

// claimedIssuer is whose token it says it is; nothing of it is checked.
func claimedIssuer(token string) string {
	var c jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &c); err != nil {
		return ""
	}
	return c.Issuer
}
