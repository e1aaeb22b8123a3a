package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"

	"github.com/homeroom-sms/homeroom/ent/mixin"
)

// LoginLimit counts attempts to log in to an account, or from an address, for a while. All replicas
// count here.
type LoginLimit struct{ ent.Schema }

// Mixin of LoginLimit.
func (LoginLimit) Mixin() []ent.Mixin { return []ent.Mixin{mixin.ID{}, mixin.Limit{}} }

// Annotations of LoginLimit.
func (LoginLimit) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("login_limits")}
}
