package entpgx

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// describe asks the server what the statement takes and gives, in the scope, and keeps the answer.
func (c *call) describe(ctx context.Context) (*shape, error) {
	p := c.pg().StartPipeline(ctx)
	first := c.sendFirst(p)
	p.SendPrepare("", c.sql, nil)
	described, err := c.readDescription(p, first)
	if closing := p.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	c.begin = "" // done, if it was to be
	sh := newShape(c.sql, described)
	if len(c.sql) <= maxNamedSQL {
		c.db.shapes.put(sh)
	}
	return sh, nil
}

func (c *call) readDescription(p *pgconn.Pipeline, first int) (*pgconn.StatementDescription, error) {
	if err := p.Sync(); err != nil {
		return nil, err
	}
	if err := readFirst(p, first); err != nil {
		return nil, err
	}
	return result[*pgconn.StatementDescription](p)
}

// sendFirst sends what must come before the statement and returns how many answers that gives.
func (c *call) sendFirst(p *pgconn.Pipeline) (n int) {
	send := func(description *pgconn.StatementDescription, values [][]byte) {
		n++
		if description.Name == "" {
			p.SendQueryParams(description.SQL, values, description.ParamOIDs, nil, nil)
			return
		}
		p.SendQueryStatement(description, values, nil, nil)
	}
	switch c.begin {
	case "":
	case beginSQL:
		send(c.session.begin, nil)
	default:
		send(&pgconn.StatementDescription{SQL: c.begin}, nil)
	}
	if c.enter {
		send(c.scopeCall())
	}
	return n
}

func readFirst(p *pgconn.Pipeline, n int) error {
	for range n {
		r, err := result[*pgconn.ResultReader](p)
		if err == nil {
			_, err = r.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prepareAndRun prepares a statement whose shape is known from another connection and runs it, in
// one round trip. The server takes the parameters' types from the shape too: what was written for
// one type is never read as another.
func (c *call) prepareAndRun(ctx context.Context, sh *shape, values [][]byte, formats []int16) (*rows, error) {
	s := c.session
	s.room()
	st := &statement{key: statementKey{c.scope, sh.sql}, shape: sh, description: &pgconn.StatementDescription{Name: s.name(), SQL: sh.sql, ParamOIDs: sh.paramOIDs, Fields: sh.fields}}
	p := c.pg().StartPipeline(ctx)
	first := c.sendFirst(p)
	for _, name := range s.dropped {
		p.SendDeallocate(name)
	}
	p.SendPrepare(st.description.Name, sh.sql, sh.paramOIDs)
	p.SendQueryStatement(st.description, values, formats, sh.formats)
	reader, err := c.readPrepared(p, st, first)
	if err != nil {
		_ = p.Close() // has nothing to add
		return nil, err
	}
	fields := st.shape.fields
	if st.shape != sh {
		fields = inFormats(fields, sh.formats)
	}
	return c.rows(reader, p.Close, fields)
}

// readPrepared reads the answers up to the statement's own.
func (c *call) readPrepared(p *pgconn.Pipeline, st *statement, first int) (*pgconn.ResultReader, error) {
	s := c.session
	if err := p.Sync(); err != nil {
		return nil, err
	}
	if err := readFirst(p, first); err != nil {
		return nil, err
	}
	for range s.dropped {
		if _, err := result[*pgconn.CloseComplete](p); err != nil {
			return nil, err
		}
	}
	s.dropped = s.dropped[:0]
	described, err := result[*pgconn.StatementDescription](p)
	if err != nil {
		s.dropped = append(s.dropped, st.description.Name) // it may be there all the same; closing nothing is no error
		return nil, err
	}
	s.add(st) // it stays, also when it fails now
	if !st.shape.describes(described) {
		// This scope's tables are of another revision than those that the shape was learned from.
		st.shape = newShape(c.sql, described)
		// Another description: the pipeline reads the answer by the one that it was given.
		st.description = &pgconn.StatementDescription{Name: st.description.Name, SQL: c.sql, ParamOIDs: described.ParamOIDs, Fields: st.shape.fields}
		c.db.shapes.put(st.shape)
	}
	return result[*pgconn.ResultReader](p)
}

// inFormats returns the fields as they come when asked for in formats (PostgreSQL manual, 55.7, Bind).
func inFormats(fields []pgconn.FieldDescription, formats []int16) []pgconn.FieldDescription {
	fields = slices.Clone(fields)
	for i := range fields {
		switch len(formats) {
		case 0:
			fields[i].Format = 0
		case 1:
			fields[i].Format = formats[0]
		default:
			fields[i].Format = formats[i]
		}
	}
	return fields
}
