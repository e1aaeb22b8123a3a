package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// line is one statement of a message: of a file, or of ours around those.
type line struct {
	text   string
	number int  // of the file's statement, from 1; 0 for ours
	waits  bool // it fails while another run has the schema, or has been faster
}

func ours(format string, args ...any) line { return line{text: fmt.Sprintf(format, args...)} }

// terminated returns a statement with its semicolon, which a comment at its end must not swallow.
func terminated(statement string) string {
	statement = strings.TrimRight(statement, "; \t\r\n")
	if last := statement[strings.LastIndexByte(statement, '\n')+1:]; strings.Contains(last, "--") {
		statement += "\n"
	}
	return statement + ";\n"
}

// join makes the parts one message.
func join(parts []line) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(terminated(p.text))
	}
	return b.String()
}

// origin is where a schema is before a file is applied.
type origin struct {
	bare    bool      // there may be no table of revisions yet
	seen    bool      // it was read, not concluded
	digests []string  // its history is one of these
	begun   *revision // of the file, where it was applied in part
}

// script is one message, one transaction: what is left of the file and its record, or nothing.
func (f file) script(schema string, from origin) []line {
	done, found := 0, ""
	if from.begun != nil {
		done, found = from.begun.applied, `
ON CONFLICT (version) DO UPDATE SET applied = excluded.applied, total = excluded.total, executed_at = excluded.executed_at,
execution_time = excluded.execution_time, hash = excluded.hash, error = NULL, error_stmt = NULL, partial_hashes = NULL`
	}
	parts := []line{
		ours("BEGIN ISOLATION LEVEL READ COMMITTED"),
		entrance(schema),
	}
	if from.bare {
		parts = append(parts, revisionsTable(schema))
	}
	parts = append(parts, from.guard(schema))
	for i, statement := range f.statements[done:] {
		parts = append(parts, line{text: statement, number: done + i + 1})
	}
	if f.grants {
		parts = append(parts, line{text: grants(schema)})
	}
	parts = append(parts, f.record(schema, len(f.statements), found), ours("COMMIT"))
	if f.settings {
		parts = append(parts, pristine...)
	}
	return parts
}

// pristine makes the session what it was when it began: the next school gets the same one.
var pristine = []line{ours("SET SESSION AUTHORIZATION DEFAULT"), ours("RESET ALL")}

// What sets something for the session. Nobody knows what a DO block does that says SET.
var (
	setting      = regexp.MustCompile(`(?is)^SET\s|set_config|^DO\b.*\bSET\b`)
	localSetting = regexp.MustCompile(`(?i)^SET\s+(LOCAL|CONSTRAINTS|TRANSACTION)\s`)
	plainSetting = regexp.MustCompile(`(?i)^SET\s+(?:SESSION\s+)?(TIME\s+ZONE\s|[\w.]+\s*(?:=|TO\s))`)
)

func sets(statement string) bool {
	return setting.MatchString(statement) && !localSetting.MatchString(statement)
}

// commandLock is the advisory lock that the atlas command holds while it applies,
// fnv32("atlas_migrate_execute"). Ours is shared: our workers run beside each other, not beside it.
const commandLock = 2686470616

// entrance sets what holds for a transaction and takes the locks, all in one statement: each one more
// costs a tenth of what a small ALTER does.
func entrance(schema string) line {
	return line{waits: true, text: fmt.Sprintf("SELECT set_config('lock_timeout', '3s', true), set_config('statement_timeout', '0', true), set_config('search_path', %s, true), %s",
		literal(ident(schema)), lock(schema, "_xact"))}
}

// locks keeps the atlas command out and any other run of ours off this schema. It does not wait: who
// waits inside a statement would hold up CREATE INDEX CONCURRENTLY elsewhere, and that again us.
// Where they are taken it fails by a cast, which costs less than a DO that raises.
func locks(schema, scope string) line {
	return line{waits: true, text: "SELECT " + lock(schema, scope)}
}

func lock(schema, scope string) string {
	return fmt.Sprintf(`CASE WHEN pg_try_advisory%[1]s_lock_shared(%[2]d) AND pg_try_advisory%[1]s_lock(hashtextextended(%[3]s, 0)) THEN 0
ELSE ('homeroom: another run is at work here, not ' || current_setting('server_version'))::int END`, scope, commandLock, literal("homeroom_migrate:"+schema))
}

// guard fails unless the schema's history is what it is believed to be, without what was begun of the
// next file. By itself it costs less than as a part of the record. Notes of the atlas command are only
// left out where they were seen.
func (o origin) guard(schema string) line {
	digests := []string{"NULL"}
	for _, digest := range o.digests {
		digests = append(digests, literal(digest))
	}
	where := ""
	if o.seen {
		where = " WHERE version NOT LIKE '.%'"
	}
	if o.begun != nil {
		where += fmt.Sprintf(" AND NOT (version = %s AND applied = %d)", literal(o.begun.version), o.begun.applied)
	}
	return line{waits: true, text: fmt.Sprintf(`SELECT CASE WHEN coalesce(md5(string_agg(version || ' ' || CASE WHEN applied = total AND error IS NULL THEN hash ELSE '' END, E'\n' ORDER BY version COLLATE "C")), '') IN (%s) THEN 0
ELSE ('homeroom: another run was faster, here is ' || coalesce(max(version), 'nothing'))::int END FROM %s.atlas_schema_revisions%s`, strings.Join(digests, ", "), ident(schema), where)}
}

// leadsTo are the digests of the histories along the directory that end at a revision.
func (d *Directory) leadsTo(version string) (digests []string) {
	for digest, state := range d.known {
		if state.Version == version {
			digests = append(digests, digest)
		}
	}
	slices.Sort(digests)
	return digests
}

// CreateScript returns the SQL that makes a schema with all its tables and revisions, from the last
// checkpoint on. It is meant for a transaction of the caller's, which no SET of a file outlives;
// the search_path is put back to what it was before.
func (d *Directory) CreateScript(schema string) string {
	parts := []line{
		ours("CREATE SCHEMA %s", ident(schema)),
		ours("SELECT set_config('homeroom.search_path', current_setting('search_path'), true)"),
		ours("SELECT set_config('search_path', %s, true)", literal(ident(schema))),
		revisionsTable(schema),
	}
	for _, f := range d.path(d.lastCheckpoint()) {
		for _, statement := range f.statements {
			if f.concurrent { // nobody uses the new tables yet
				statement = concurrently.ReplaceAllString(statement, "$1 ")
			}
			parts = append(parts, line{text: plainSetting.ReplaceAllString(statement, "SET LOCAL $1")})
		}
		parts = append(parts, f.record(schema, len(f.statements), ""))
	}
	return join(append(parts, ours("SELECT set_config('search_path', current_setting('homeroom.search_path'), true)")))
}

var concurrently = regexp.MustCompile(`(?is)^(CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+(?:INDEX|TABLE)|REFRESH\s+MATERIALIZED\s+VIEW)\s+CONCURRENTLY\s+`)

// record is the row the atlas command would write: type 2 is "executed", times are nanoseconds. A row
// that it finds is of a run that was cut off, or of the atlas command's that failed.
func (f file) record(schema string, applied int, found string) line {
	return ours(`INSERT INTO %s.atlas_schema_revisions (version, description, type, applied, total, executed_at, execution_time, hash, operator_version)
VALUES (%s, %s, 2, %d, %d, now(), (extract(epoch FROM clock_timestamp() - now()) * 1e9)::bigint, %s, 'homeroom')%s`,
		ident(schema), literal(f.version), literal(f.description), applied, len(f.statements), literal(f.hash), found)
}

// revisionsTable is the table exactly as the atlas command makes it: it drops columns it does not know.
func revisionsTable(schema string) line {
	return ours(`CREATE TABLE IF NOT EXISTS %s.atlas_schema_revisions (
version character varying NOT NULL PRIMARY KEY, description character varying NOT NULL, type bigint NOT NULL DEFAULT 2,
applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, executed_at timestamptz NOT NULL,
execution_time bigint NOT NULL, error text NULL, error_stmt text NULL, hash character varying NOT NULL,
partial_hashes jsonb NULL, operator_version character varying NOT NULL)`, ident(schema))
}

// What needs no grants: nothing comes to be that has none. ALTER TABLE may bring a sequence (serial) or
// another schema's table, and where a semicolon is inside there may be anything behind it.
var (
	grantless = regexp.MustCompile(`(?is)^(ALTER\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+(INDEX|TABLE|VIEW)|COMMENT\s+ON|INSERT\s+INTO|UPDATE|DELETE\s+FROM)\b`)
	grantful  = regexp.MustCompile(`(?i)serial|schema|;.`)
)

func needGrants(statements []string) bool {
	return slices.ContainsFunc(statements, func(statement string) bool {
		statement = strings.TrimRight(statement, "; \t\r\n")
		return !grantless.MatchString(statement) || grantful.MatchString(statement)
	})
}
