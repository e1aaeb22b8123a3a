package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Script returns the one transaction that mends a schema, to be read, pasted or run. It keeps migrations
// out, and it fails where one has come between.
func (d Drift) Script() string {
	var b strings.Builder
	b.WriteString("BEGIN;\n" + join(terms) + join([]line{ours("SET LOCAL search_path = %s", ident(d.Schema)), locks(d.Schema, "_xact"), locked(d.Schema)}) + unmoved(d.Schema, d.Version))
	for _, statement := range d.SQL {
		b.WriteString(statement + ";\n")
	}
	b.WriteString("COMMIT;\n")
	return b.String()
}

// Mend runs the script, whole or not at all.
func (d Drift) Mend(ctx context.Context, conn *pgx.Conn) error {
	err := conn.PgConn().Exec(ctx, d.Script()).Close()
	if err == nil {
		return nil
	}
	if conn.PgConn().TxStatus() != 'I' {
		_ = conn.PgConn().Exec(context.WithoutCancel(ctx), "ROLLBACK").Close()
	}
	return fmt.Errorf("mending %s: %w", d.Schema, err)
}

// unmoved fails unless a schema is at the revision that it was seen at.
func unmoved(schema, version string) string {
	return fmt.Sprintf(`DO $$ BEGIN
IF (SELECT max(version) FROM %s.atlas_schema_revisions WHERE version NOT LIKE '.%%' AND applied = total) IS DISTINCT FROM %s THEN
RAISE EXCEPTION 'a migration has come between';
END IF; END $$;
`, ident(schema), literal(version))
}
