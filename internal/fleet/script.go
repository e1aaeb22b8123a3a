package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// line is one statement of a message: of a file, or of ours around those.
type line struct {
	text   string
	number int  // of the file's statement, from 1; 0 for ours
	waits  bool // it fails while another run has the schema
	check  *check
}

// check is where a message waits for us, in a COPY that takes rows: the history has come by then, and it
// goes on if that is what it is believed to be.
type check struct {
	from origin
	row  func(took time.Duration) string // of the revision that the message makes; nil if another line has it
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

// printed shows the parts as a person would send them, without our look at the history.
func (f file) printed(schema string, parts []line) string {
	var shown []line
	for _, p := range parts {
		switch {
		case p.check != nil && p.check.row != nil:
			shown = append(shown, f.record(schema, len(f.statements), ""))
		case p.number > 0 || !strings.HasPrefix(p.text, "COPY "):
			shown = append(shown, p)
		}
	}
	return join(shown)
}

// origin is where a schema is before a file is applied.
type origin struct {
	bare    bool      // there may be no table of revisions yet
	held    bool      // the connection has the terms, and keeps the atlas command out
	digests []string  // its history is one of these
	begun   *revision // of the file, where it was applied in part
}

// agrees reports whether a history, in any order, is what it is believed to be, without what was begun of
// the next file.
func (o origin) agrees(history []revision) bool {
	history = slices.DeleteFunc(slices.Clone(history), func(r revision) bool {
		return strings.HasPrefix(r.version, ".") || o.begun != nil && r.version == o.begun.version && r.applied == o.begun.applied
	})
	slices.SortFunc(history, func(a, b revision) int { return strings.Compare(a.version, b.version) })
	return slices.Contains(o.digests, digestOf(history))
}

// script is one message, one transaction: what is left of the file and its record, or nothing.
func (f file) script(schema string, from origin) []line {
	parts := []line{ours("BEGIN")}
	if !from.held {
		parts = append([]line{ours("BEGIN ISOLATION LEVEL READ COMMITTED")}, terms...)
	}
	parts = append(parts, ours("SET LOCAL search_path = %s", ident(schema)))
	if !from.held || from.bare { // where nothing is there yet, no table can be locked
		parts = append(parts, locks(schema, "_xact"))
	}
	if from.bare {
		parts = append(parts, revisionsTable(schema))
	}
	parts = append(parts, locked(schema), pastOf(schema))
	done := 0
	if from.begun != nil {
		done = from.begun.applied
	}
	for i, statement := range f.statements[done:] {
		parts = append(parts, line{text: statement, number: done + i + 1})
	}
	if f.grants {
		parts = append(parts, line{text: grants(schema)})
	}
	if from.begun == nil {
		parts = append(parts, checked(schema, check{from, f.row}), ours("COMMIT"))
	} else {
		parts = append(parts, checked(schema, check{from: from}), f.record(schema, len(f.statements), `
ON CONFLICT (version) DO UPDATE SET applied = excluded.applied, total = excluded.total, executed_at = excluded.executed_at,
execution_time = excluded.execution_time, hash = excluded.hash, error = NULL, error_stmt = NULL, partial_hashes = NULL`), ours("COMMIT"))
	}
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

// terms hold for a transaction, or for a session of a rollout's own.
var (
	terms        = []line{ours("SET LOCAL lock_timeout = '3s'"), ours("SET LOCAL statement_timeout = 0")}
	sessionTerms = []line{impatient, ours("SET statement_timeout = 0"), ours("SET default_transaction_isolation = 'read committed'"), ours("SET synchronous_commit = off")}
)

// locks keep the atlas command out, and others of our runs where the table of revisions can't: before it is
// made, and outside a transaction. Where they are taken it fails, by a cast, which costs less than a DO that
// raises. Nobody waits: who waits inside a statement would hold up CREATE INDEX CONCURRENTLY elsewhere, and
// that again us.
func locks(schema, scope string) line {
	return line{waits: true, text: fmt.Sprintf(`SELECT CASE WHEN pg_try_advisory%[1]s_lock_shared(%[2]d) AND pg_try_advisory%[1]s_lock(hashtextextended(%[3]s, 0)) THEN 0
ELSE ('homeroom: another run is at work here, not ' || current_setting('server_version'))::int END`, scope, commandLock, literal("homeroom_migrate:"+schema))}
}

// locked keeps everybody else who would add to the schema's history off it, to the end of the transaction.
func locked(schema string) line {
	return line{waits: true, text: fmt.Sprintf("LOCK TABLE %s.atlas_schema_revisions IN SHARE ROW EXCLUSIVE MODE NOWAIT", ident(schema))}
}

// pastOf asks for the schema's history. A query for it costs as much as a small ALTER, for it is planned; a
// COPY isn't.
func pastOf(schema string) line {
	return ours("COPY %s.atlas_schema_revisions (version, hash, applied, total, error) TO STDOUT", ident(schema))
}

// pastRow reads a row of that (PostgreSQL manual, COPY, text format). None of our texts needs an escape; a
// history that has one is not ours.
func pastRow(text string) (r revision) {
	columns := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
	if len(columns) != 5 {
		return revision{version: text}
	}
	r = revision{version: columns[0], hash: columns[1], failed: columns[4] != `\N` && columns[4] != ""}
	r.applied, _ = strconv.Atoi(columns[2])
	r.total, _ = strconv.Atoi(columns[3])
	return r
}

// checked takes the revision's row, if the history is right.
func checked(schema string, c check) line {
	return line{check: &c, text: fmt.Sprintf("COPY %s.atlas_schema_revisions (version, description, type, applied, total, executed_at, execution_time, hash, operator_version) FROM STDIN", ident(schema))}
}

// row is the row that record inserts, for a COPY.
func (f file) row(took time.Duration) string {
	text := strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	return fmt.Sprintf("%s\t%s\t2\t%[3]d\t%[3]d\tnow\t%d\t%s\thomeroom\n", text.Replace(f.version), text.Replace(f.description), len(f.statements), took.Nanoseconds(), f.hash)
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
