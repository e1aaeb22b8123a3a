package entpgx

import "github.com/jackc/pgx/v5"

// Ways to break a DB, which the hammer must notice.
const (
	// LeftOut sets no scope.
	LeftOut = `SELECT $1::text`
	// ForTheSession sets a scope that outlives the statement.
	ForTheSession = `SELECT set_config('search_path', $1, false)`
	// Apart does what a Sync between scope and statement would do: the statement runs when a cancel
	// has hit the scope before it.
	Apart = `SELECT public.apart($1)`
)

// Break makes db set its scopes in another way.
func Break(db *DB, how string) { db.path = how }

// Unname makes a new connection one whose statements bear no names.
func Unname(conn *pgx.Conn) {
	s := newSession(pathSQL)
	s.unnamed = true
	conn.PgConn().CustomData()[sessionName] = s
}
