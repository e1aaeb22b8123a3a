package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Drift is how a schema differs from what its own revision says.
type Drift struct {
	Target
	Version     string       `json:"version"`
	Unknown     string       `json:"unknown,omitempty"` // why it can't be compared
	Differences []Difference `json:"differences"`
	SQL         []string     `json:"sql"` // the statements that mend it, for the schema's search_path
}

// driftChunk is how many schemas one query looks at: it holds their whole catalog in the server's memory.
const driftChunk = 250

// Drift compares the schemas of targets, which are all in conn's database, each with what its own last
// revision makes in a scratch schema that is never committed. It opens up to parallel connections more.
func (d *Directory) Drift(ctx context.Context, conn *pgx.Conn, targets []Target, parallel int) ([]Drift, error) {
	c := &comparison{dir: d, conn: conn, references: map[string]*reference{}}
	size := max(1, min(driftChunk, (len(targets)+parallel-1)/parallel))
	chunks := slices.Collect(slices.Chunk(targets, size))
	found := make([][]Drift, len(chunks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, chunk := range chunks {
		group.Go(func() error {
			own, err := pgx.ConnectConfig(ctx, conn.Config())
			if err != nil {
				return err
			}
			defer func() { _ = own.Close(context.WithoutCancel(ctx)) }()
			found[i], err = c.compare(ctx, own, chunk)
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(found...), err
}

// comparison is one run over a database.
type comparison struct {
	dir  *Directory
	conn *pgx.Conn // makes the references

	mu         sync.Mutex
	references map[string]*reference // by version
}

func (c *comparison) compare(ctx context.Context, conn *pgx.Conn, targets []Target) ([]Drift, error) {
	drifts, err := c.versions(ctx, conn, targets)
	if err != nil {
		return nil, err
	}
	var live map[string]digest
	if err := reading(ctx, conn, func(tx pgx.Tx) error { live, err = digests(ctx, tx, targets); return err }); err != nil {
		return nil, err
	}
	var differ []Target
	for _, drift := range drifts {
		if drift.Unknown != "" {
			continue
		}
		should, err := c.reference(ctx, drift.Version)
		if err != nil {
			return nil, err
		}
		if !live[drift.Schema].equals(should.digest) {
			differ = append(differ, drift.Target)
		}
	}
	return drifts, c.explain(ctx, conn, drifts, differ)
}

// explain looks closer at the schemas that differ, and fills in how.
func (c *comparison) explain(ctx context.Context, conn *pgx.Conn, drifts []Drift, differ []Target) (err error) {
	if len(differ) == 0 {
		return nil
	}
	var live map[string][]object
	if err := reading(ctx, conn, func(tx pgx.Tx) error { live, err = objects(ctx, tx, differ); return err }); err != nil {
		return err
	}
	now, err := c.versions(ctx, conn, differ)
	if err != nil {
		return err
	}
	for _, after := range now {
		drift := &drifts[slices.IndexFunc(drifts, func(d Drift) bool { return d.Schema == after.Schema })]
		if after.Version != drift.Version || after.Unknown != "" {
			drift.Unknown = "it was migrated meanwhile"
			continue
		}
		should, err := c.reference(ctx, drift.Version)
		if err != nil {
			return err
		}
		drift.Differences, drift.SQL = mend(live[drift.Schema], should.objects, should.same, drift.Role)
	}
	return nil
}

// versions reads where the schemas stand.
func (c *comparison) versions(ctx context.Context, conn *pgx.Conn, targets []Target) ([]Drift, error) {
	var schemas []string
	for _, t := range targets {
		schemas = append(schemas, t.Schema)
	}
	states, err := c.dir.Survey(ctx, conn, schemas)
	drifts := make([]Drift, len(targets))
	for i, t := range targets {
		state := states[t.Schema]
		drifts[i] = Drift{Target: t, Version: state.Version, Unknown: unknown(state), Differences: []Difference{}, SQL: []string{}}
	}
	return drifts, err
}

// unknown says why no reference can be made for a schema.
func unknown(s State) string {
	switch {
	case s.Missing:
		return "there is no such schema"
	case s.Version == "":
		return "it has no revision"
	case s.Ahead:
		return "it is ahead of this program"
	case len(s.Edited) > 0:
		return "revision " + strings.Join(s.Edited, ", ") + " was edited after it had been applied"
	case len(s.Pending) > 0 && s.Pending[0] < s.Version:
		return "revision " + s.Pending[0] + " is missing among those applied"
	}
	return ""
}

// reference is what a schema at some revision should be.
type reference struct {
	digest
	objects []object
	same    map[part]string // definitions that a part has after it was made from its own definition
}

func (c *comparison) reference(ctx context.Context, version string) (*reference, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.references[version]; found != nil {
		return found, nil
	}
	made, err := c.dir.reference(ctx, c.conn, version)
	if err != nil {
		return nil, fmt.Errorf("making a schema of revision %s to compare with: %w", version, err)
	}
	c.references[version] = made
	return made, nil
}

// reference makes a schema of a revision, reads it and rolls it back.
func (d *Directory) reference(ctx context.Context, conn *pgx.Conn, version string) (*reference, error) {
	scratch := []Target{{Schema: "homeroom_drift_" + strings.ReplaceAll(uuid.NewString(), "-", "")}}
	made := &reference{same: map[part]string{}}
	return made, reading(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, d.until(version).CreateScript(scratch[0].Schema), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		all, err := digests(ctx, tx, scratch)
		if err != nil {
			return err
		}
		found, err := objects(ctx, tx, scratch)
		if err != nil {
			return err
		}
		made.parts = all[scratch[0].Schema].parts
		made.objects = slices.DeleteFunc(found[scratch[0].Schema], func(o object) bool { return o.should != nil })
		if _, err := tx.Exec(ctx, again(scratch[0].Schema, made.objects), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		found, err = objects(ctx, tx, scratch)
		for _, o := range found[scratch[0].Schema] {
			made.same[o.part()] = o.definition
		}
		return err
	})
}

// again makes parts anew from their own definitions: PostgreSQL may print those differently then, such as
// the IN of a CHECK.
func again(schema string, objects []object) string {
	m := &mender{}
	for _, o := range objects {
		if o.kind == "default" || o.kind == "foreign key" || o.kind == "index" || strings.HasPrefix(o.definition, "CHECK ") {
			m.drop(o)
			m.make(o, making(o))
		}
	}
	return "SET LOCAL search_path = " + ident(schema) + ";\n" + strings.Join(m.statements(), ";\n")
}

// until returns the directory up to a version.
func (d *Directory) until(version string) *Directory {
	n := slices.IndexFunc(d.files, func(f file) bool { return f.version > version })
	if n < 0 {
		n = len(d.files)
	}
	return &Directory{files: d.files[:n]}
}

// reading runs do in a transaction that is never committed.
func reading(ctx context.Context, conn *pgx.Conn, do func(pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	err = do(tx)
	if rolled := tx.Rollback(context.WithoutCancel(ctx)); err == nil {
		err = rolled
	}
	return err
}
