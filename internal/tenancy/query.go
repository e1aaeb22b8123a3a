package tenancy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	entsql "entgo.io/ent/dialect/sql"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

var (
	hostIndex    = sort{name: func(host string) string { return host }, missing: unknownHost}
	contactIndex = sort{name: hashed, missing: unknownContact}
)

func unknownHost() error {
	return fault.New(fault.UnknownHost, "No school is served on this host.")
}

func unknownContact() error {
	return fault.New(fault.NotFound, "No school knows this contact.")
}

// hashed is how the triggers name a contact.
func hashed(contact string) string {
	sum := sha256.Sum256([]byte(contact))
	return hex.EncodeToString(sum[:])
}

// The queries of the indexes: $1 is the keys. The first row of a key counts: one that is a contact's
// phone and another's user id leads to the former.
const (
	columns  = "c.id, c.code, c.name, c.schema_name, c.role_name, c.isolation, c.database, c.state, c.is_active, c.schema_version"
	byDomain = "SELECT d.domain, " + columns + " FROM domains d JOIN clients c ON c.id = d.tenant_id WHERE d.domain = ANY($1::text[])"

	byContact = "SELECT w.phone, " + columns + " FROM whatsapp_contacts w JOIN clients c ON c.id = w.school_id WHERE w.phone = ANY($1::text[])" +
		" UNION ALL SELECT w.whatsapp_user_id, " + columns + " FROM whatsapp_contacts w JOIN clients c ON c.id = w.school_id WHERE w.whatsapp_user_id = ANY($1::text[])"
)

// query returns what runs one of these queries.
func (r *Registry) query(text string) queryFunc {
	driver := r.db.Driver(scope(publicSchema))
	return func(ctx context.Context, keys []string) (found []row, err error) {
		var rows entsql.Rows
		if err := driver.Query(ctx, text, []any{keys}, &rows); err != nil {
			return nil, fmt.Errorf("finding schools: %w", err)
		}
		defer func() { _ = rows.Close() }() // read to its end, or failed
		for rows.Next() {
			var next row
			if err := rows.Scan(&next.key, &next.id, &next.code, &next.name, &next.placed.SchemaName, &next.placed.RoleName, &next.placed.Isolation, &next.placed.Database, &next.state, &next.active, &next.version); err != nil {
				return nil, err
			}
			found = append(found, next)
		}
		return found, rows.Err()
	}
}
