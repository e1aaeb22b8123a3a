package fleet

import (
	"bytes"
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"
)

//go:embed fingerprint.sql
var fingerprint string

// object is a part of a schema, or a right that is not what it should be. Names are quoted where they
// must be, so that they can be put into statements.
type object struct {
	schema, kind, table, name, definition string

	should   *string // of a right; nil for a part, which the reference tells
	position int     // of a column in its table
}

// part tells a schema's parts apart.
type part struct{ kind, table, name string }

func (o object) part() part { return part{o.kind, o.table, o.name} }

// digest is what a schema is, in short: equal for schemas with the same parts.
type digest struct {
	parts  []byte
	rights int // those that are not what they should be
}

func (d digest) equals(reference digest) bool {
	return bytes.Equal(d.parts, reference.parts) && d.rights == 0
}

// settings make definitions come out alike: names outside pg_catalog with their schemas, which the query
// takes off. To compile it takes longer than it saves.
const settings = "SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off; SET LOCAL statement_timeout = 0;"

// digests returns the digests of the targets' schemas, by schema. One that does not exist has none.
func digests(ctx context.Context, tx pgx.Tx, targets []Target) (map[string]digest, error) {
	rows, err := ask(ctx, tx, targets, `SELECT nspname, sha256(convert_to(string_agg(line, chr(10) ORDER BY line) FILTER (WHERE should IS NULL), 'UTF8')), count(should)
		FROM (SELECT nspname, should, concat_ws(chr(9), kind, "table", name, definition) COLLATE "C" AS line FROM plain) AS lines GROUP BY nspname`)
	found, schema, d := map[string]digest{}, "", digest{}
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&schema, &d.parts, &d.rights}, func() error {
			found[schema] = digest{bytes.Clone(d.parts), d.rights}
			return nil
		})
	}
	return found, err
}

// objects returns the objects of the targets' schemas, by schema.
func objects(ctx context.Context, tx pgx.Tx, targets []Target) (map[string][]object, error) {
	rows, err := ask(ctx, tx, targets, `SELECT nspname, kind, "table", name, definition, should, position FROM plain ORDER BY kind COLLATE "C", "table" COLLATE "C", position, name COLLATE "C"`)
	found, o := map[string][]object{}, object{}
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&o.schema, &o.kind, &o.table, &o.name, &o.definition, &o.should, &o.position}, func() error {
			found[o.schema] = append(found[o.schema], o)
			return nil
		})
	}
	return found, err
}

func ask(ctx context.Context, tx pgx.Tx, targets []Target, what string) (pgx.Rows, error) {
	schemas, roles := make([]string, len(targets)), make([]string, len(targets))
	for i, t := range targets {
		schemas[i], roles[i] = t.Schema, t.Role
	}
	if _, err := tx.Exec(ctx, settings, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	return tx.Query(ctx, fingerprint+what, pgx.QueryExecModeExec, schemas, roles)
}
