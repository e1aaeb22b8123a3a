package entpgx

import (
	"container/list"
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	pathSQL     = `SELECT set_config('search_path', $1, true)`
	pathRoleSQL = `SELECT set_config('search_path', $1, true), set_config('role', $2, true)`
	beginSQL    = `BEGIN`

	// maxStatements bounds what a connection keeps prepared: about 14 kB of the backend's memory each.
	maxStatements = 512
	// maxNamedSQL is the longest text worth preparing by name; longer ones are bulk inserts whose
	// number of rows hardly comes again.
	maxNamedSQL = 4096
	maxShapes   = 4096
)

// session is what a connection has prepared. It goes with the connection.
type session struct {
	unnamed                 bool // nothing is prepared by name: a pooler is in front
	scope, scopeRole, begin *pgconn.StatementDescription
	statements              map[statementKey]*list.Element
	recent                  list.List // of *statement, the last used in front
	dropped                 []string  // names of statements that the server still has
	made                    uint64
	scopes                  map[Scope]struct{}
}

type statementKey struct {
	scope Scope
	sql   string
}

type statement struct {
	key         statementKey
	description *pgconn.StatementDescription
	shape       *shape
}

const sessionName = "entpgx"

// sessionOf returns the session of a connection, made on its first use.
func (db *DB) sessionOf(ctx context.Context, conn *pgxpool.Conn) (*session, error) {
	pg := conn.Conn().PgConn()
	if s, ok := pg.CustomData()[sessionName].(*session); ok {
		return s, nil
	}
	s := newSession(db.path)
	var err error
	if s.unnamed, err = Pooled(ctx, conn.Conn()); err != nil {
		return nil, err
	}
	if !s.unnamed {
		if err := s.prepare(ctx, pg); err != nil {
			// Some of the names may be taken now, and then it would fail here for ever.
			_ = conn.Conn().Close(ctx)
			return nil, err
		}
	}
	pg.CustomData()[sessionName] = s
	return s, nil
}

// newSession returns the session of a connection on which nothing is prepared; path sets a scope without a role.
func newSession(path string) *session {
	return &session{
		statements: map[statementKey]*list.Element{}, scopes: map[Scope]struct{}{},
		scope:     &pgconn.StatementDescription{SQL: path, ParamOIDs: []uint32{pgtype.TextOID}},
		scopeRole: &pgconn.StatementDescription{SQL: pathRoleSQL, ParamOIDs: []uint32{pgtype.TextOID, pgtype.TextOID}},
		begin:     &pgconn.StatementDescription{SQL: beginSQL},
	}
}

// prepare names the statements that come before others, in one round trip.
func (s *session) prepare(ctx context.Context, pg *pgconn.PgConn) error {
	p := pg.StartPipeline(ctx)
	s.scope.Name, s.scopeRole.Name, s.begin.Name = "entpgx_path", "entpgx_path_role", "entpgx_begin"
	own := []*pgconn.StatementDescription{s.scope, s.scopeRole, s.begin}
	for _, d := range own {
		p.SendPrepare(d.Name, d.SQL, d.ParamOIDs)
	}
	err := p.Sync()
	for _, d := range own {
		if err == nil {
			var described *pgconn.StatementDescription
			if described, err = result[*pgconn.StatementDescription](p); err == nil {
				d.Fields = described.Fields
			}
		}
	}
	if closing := p.Close(); err == nil {
		err = closing
	}
	return err
}

// find returns the statement if it is prepared.
func (s *session) find(key statementKey) *statement {
	e := s.statements[key]
	if e == nil {
		return nil
	}
	s.recent.MoveToFront(e)
	return e.Value.(*statement) //nolint:forcetypeassert // nothing else is in the list
}

// add keeps a prepared statement.
func (s *session) add(st *statement) { s.statements[st.key] = s.recent.PushFront(st) }

// room makes room for one more statement.
func (s *session) room() {
	if s.recent.Len() >= maxStatements {
		s.drop(s.recent.Back())
	}
}

// forget drops a statement that is not to be used again.
func (s *session) forget(key statementKey) {
	if e := s.statements[key]; e != nil {
		s.drop(e)
	}
}

// drop takes a statement out; the server is told with the next one that is prepared.
func (s *session) drop(e *list.Element) {
	st := s.recent.Remove(e).(*statement) //nolint:forcetypeassert // nothing else is in the list
	delete(s.statements, st.key)
	s.dropped = append(s.dropped, st.description.Name)
}

func (s *session) name() string {
	s.made++
	return "entpgx_" + strconv.FormatUint(s.made, 10)
}

// shape is what a statement takes and gives. It is the same in every scope whose tables are at the
// same revision, so it is kept by the statement's text for all connections.
type shape struct {
	sql       string // one copy of it for all connections
	paramOIDs []uint32
	fields    []pgconn.FieldDescription
	formats   []int16
}

func newShape(sql string, d *pgconn.StatementDescription) *shape {
	sh := &shape{sql: sql, paramOIDs: d.ParamOIDs, fields: slices.Clone(d.Fields)}
	for i := range sh.fields {
		sh.fields[i].Format = formatOf(sh.fields[i].DataTypeOID)
		sh.formats = append(sh.formats, sh.fields[i].Format)
	}
	return sh
}

// describes reports whether the server's description of the statement is the same.
func (sh *shape) describes(d *pgconn.StatementDescription) bool {
	same := func(a, b pgconn.FieldDescription) bool { return a.DataTypeOID == b.DataTypeOID && a.Name == b.Name }
	return slices.Equal(sh.paramOIDs, d.ParamOIDs) && slices.EqualFunc(sh.fields, d.Fields, same)
}

// formatOf says in which form a type's values are asked for: binary where we read it faster, text
// where others read it (a sql.Scanner expects what database/sql would give it).
func formatOf(oid uint32) int16 {
	switch oid {
	case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID,
		pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.UUIDOID, pgtype.ByteaOID:
		return pgtype.BinaryFormatCode
	}
	return pgtype.TextFormatCode
}

// shapes are kept by text, up to a number: made-up statements must not grow memory.
type shapes struct {
	byText sync.Map // of *shape
	count  atomic.Int64
}

func (s *shapes) get(text string) *shape {
	if found, ok := s.byText.Load(text); ok {
		return found.(*shape) //nolint:forcetypeassert // nothing else is in the map
	}
	return nil
}

func (s *shapes) put(sh *shape) {
	if s.count.Add(1) > maxShapes {
		s.byText.Clear()
		s.count.Store(1)
	}
	s.byText.Store(sh.sql, sh)
}
