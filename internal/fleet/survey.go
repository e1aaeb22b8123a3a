package fleet

import (
	"context"
	"crypto/md5" //nolint:gosec // it tells histories apart, PostgreSQL has it in every version, and nobody gains by a collision
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

// surveyed is how many schemas one query looks at: each takes a lock, and PostgreSQL has room for a few
// thousand (max_locks_per_transaction).
const surveyed = 500

// history is what a schema's revisions say, in brief.
type history struct {
	Schema string `json:"schema"`
	Exists bool   `json:"exists"`
	Last   string `json:"last"`
	Digest string `json:"digest"` // of the revisions that were applied in full
	Whole  bool   `json:"whole"`  // none was applied in part
}

// Survey reads where schemas of one database stand, as Status does for one, in a query for each 500.
func (d *Directory) Survey(ctx context.Context, conn *pgx.Conn, schemas []string) (map[string]State, error) {
	states := make(map[string]State, len(schemas))
	for chunk := range slices.Chunk(schemas, surveyed) {
		found, err := histories(ctx, conn, chunk)
		if err != nil {
			return nil, fmt.Errorf("reading the revisions of %d schemas: %w", len(chunk), err)
		}
		for _, h := range found {
			state, ours := d.known[h.Digest]
			switch {
			case !h.Exists:
				states[h.Schema] = State{Missing: true}
			case ours && h.Whole:
				states[h.Schema] = state.copied()
			default:
				state, err := d.Status(ctx, conn, h.Schema)
				if err != nil {
					return nil, err
				}
				states[h.Schema] = state
			}
		}
	}
	return states, nil
}

// copied has its own list of what is pending.
func (s State) copied() State {
	s.Pending = append([]string(nil), s.Pending...)
	return s
}

// digests are those of the histories that lead along this directory, and where each ends.
func (d *Directory) digests() map[string]State {
	known := map[string]State{"": d.state(nil)}
	starts := []string{""}
	for _, f := range d.checkpoints {
		starts = append(starts, f.version)
	}
	for _, start := range starts {
		path := d.path(start)
		var pending []string
		for _, f := range path {
			pending = append(pending, f.version)
		}
		var history []revision
		for i, f := range path {
			history = append(history, f.whole())
			known[digestOf(history)] = State{Version: d.standsFor(f.version), Pending: pending[i+1:]}
		}
	}
	return known
}

// whole is the revision of a file that is applied in full.
func (f file) whole() revision { return revision{version: f.version, hash: f.hash} }

// digest is short for a history. PostgreSQL makes the same.
func digestOf(history []revision) string {
	if len(history) == 0 {
		return ""
	}
	lines := make([]string, len(history))
	for i, r := range history {
		lines[i] = r.version + " "
		if r.done() {
			lines[i] += r.hash
		}
	}
	sum := md5.Sum([]byte(strings.Join(lines, "\n"))) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// histories asks for all schemas at once. One query over all their tables would be planned for
// seconds, so it is a loop on the server; a DO returns nothing, hence the setting.
func histories(ctx context.Context, conn *pgx.Conn, schemas []string) ([]history, error) {
	quoted := make([]string, len(schemas))
	for i, schema := range schemas {
		quoted[i] = literal(schema)
	}
	results, err := conn.PgConn().Exec(ctx, `BEGIN READ ONLY;
DO $survey$ DECLARE
  name text; one jsonb; found jsonb[] := '{}';
BEGIN
  FOREACH name IN ARRAY ARRAY[`+strings.Join(quoted, ", ")+`]::text[] LOOP
    one := NULL;
    IF pg_catalog.to_regclass(pg_catalog.format('%I.atlas_schema_revisions', name)) IS NOT NULL THEN
      EXECUTE pg_catalog.format($one$SELECT pg_catalog.jsonb_build_object(
          'last', coalesce(max(version) FILTER (WHERE done), ''),
          'digest', coalesce(md5(string_agg(version || ' ' || hash, E'\n' ORDER BY version COLLATE "C") FILTER (WHERE done)), ''),
          'whole', coalesce(bool_and(done), true))
        FROM (SELECT version, hash, applied = total AND coalesce(error, '') = '' AS done FROM %I.atlas_schema_revisions WHERE version NOT LIKE '.%%') r$one$, name) INTO one;
    END IF;
    found := found || (coalesce(one, '{"whole": true}') || pg_catalog.jsonb_build_object('schema', name, 'exists', pg_catalog.to_regnamespace(pg_catalog.quote_ident(name)) IS NOT NULL));
  END LOOP;
  PERFORM pg_catalog.set_config('homeroom.survey', pg_catalog.array_to_json(found)::text, true);
END $survey$;
SELECT pg_catalog.current_setting('homeroom.survey');
COMMIT`).ReadAll()
	if err != nil {
		if conn.PgConn().TxStatus() != 'I' {
			_ = conn.PgConn().Exec(ctx, "ROLLBACK").Close()
		}
		return nil, postgres.Fault(err)
	}
	var found []history
	return found, json.Unmarshal(results[2].Rows[0][0], &found)
}
