// Package fleet brings PostgreSQL schemas to a revision: one, or those of all schools.
//
// It applies the files that the atlas command writes and records them the way that command does,
// in atlas_schema_revisions of the schema they changed, so either tool sees what the other did.
package fleet

import (
	"fmt"
	"io/fs"
	"strings"

	"ariga.io/atlas/sql/migrate"
)

// Directory is a folder of migrations whose files were checked against their atlas.sum.
type Directory struct {
	files []file
}

type file struct {
	version, description, hash string
	statements                 []string
	concurrent                 bool // atlas:txmode none
	required                   bool // homeroom:requires
}

// Load reads and checks a folder of migrations. It returns an error where a file and atlas.sum
// disagree.
func Load(folder fs.FS) (*Directory, error) {
	memory := &migrate.MemDir{}
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		// atlas.sum too, as it is: computing it anew would hide an edited file.
		return memory.WriteFile(path, content)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	if err := migrate.Validate(memory); err != nil {
		return nil, fmt.Errorf("the migrations don't match their atlas.sum: %w", err)
	}
	sums, err := memory.Checksum()
	if err != nil {
		return nil, err
	}
	found, err := memory.Files()
	if err != nil {
		return nil, err
	}
	d := &Directory{}
	for _, f := range found {
		read, err := readFile(f, sums)
		if err != nil {
			return nil, fmt.Errorf("reading migration %s: %w", f.Name(), err)
		}
		d.files = append(d.files, read)
	}
	return d, nil
}

func readFile(f migrate.File, sums migrate.HashFile) (file, error) {
	hash, err := sums.SumByName(f.Name())
	if err != nil {
		return file{}, err
	}
	statements, err := f.Stmts()
	if err != nil {
		return file{}, err
	}
	read := file{version: f.Version(), description: f.Desc(), hash: hash, statements: statements, required: isRequired(f.Bytes())}
	if local, ok := f.(*migrate.LocalFile); ok {
		mode := local.Directive("txmode")
		read.concurrent = len(mode) > 0 && mode[len(mode)-1] == "none"
	}
	return read, nil
}

// requires, in a file's head, says that the program that carries the file can't work on a schema without
// it.
const requires = "-- homeroom:requires"

// isRequired reports whether a file's head, the comments before its first statement, says requires.
func isRequired(content []byte) bool {
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		comment, ok := strings.CutPrefix(line, "--")
		switch {
		case strings.TrimSpace(comment) == strings.TrimPrefix(requires, "-- "):
			return ok
		case !ok && line != "":
			return false
		}
	}
	return false
}

// Requires returns the revision that a schema must have for this program to work on it, "" for none.
func (d *Directory) Requires() (version string) {
	for _, f := range d.files {
		if f.required {
			version = f.version
		}
	}
	return version
}

// Version returns the last revision, "" in an empty directory.
func (d *Directory) Version() string {
	if len(d.files) == 0 {
		return ""
	}
	return d.files[len(d.files)-1].version
}

// CreateScript returns the SQL that makes a schema with all its tables and revisions. It is meant
// for a transaction of the caller's; the search_path is put back to what it was before.
func (d *Directory) CreateScript(schema string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE SCHEMA %s;\n", ident(schema))
	b.WriteString("SELECT set_config('homeroom.search_path', current_setting('search_path'), true);\n")
	setPath(&b, schema)
	b.WriteString(revisionsTable(schema))
	for _, f := range d.files {
		f.write(&b, schema)
	}
	b.WriteString("SELECT set_config('search_path', current_setting('homeroom.search_path'), true);\n")
	return b.String()
}

func setPath(b *strings.Builder, schema string) {
	fmt.Fprintf(b, "SELECT set_config('search_path', %s, true);\n", literal(ident(schema)))
}

// write appends the file's statements and the row that records them.
func (f file) write(b *strings.Builder, schema string) {
	for _, statement := range f.statements {
		b.WriteString(strings.TrimRight(statement, "; \n"))
		b.WriteString(";\n")
	}
	b.WriteString(f.record(schema))
}

// record is the row the atlas command would write: type 2 is "executed", times are nanoseconds.
func (f file) record(schema string) string {
	return fmt.Sprintf(`INSERT INTO %s.atlas_schema_revisions (version, description, type, applied, total, executed_at, execution_time, hash, operator_version)
VALUES (%s, %s, 2, %d, %d, now(), (extract(epoch FROM clock_timestamp() - now()) * 1e9)::bigint, %s, 'homeroom');
`, ident(schema), literal(f.version), literal(f.description), len(f.statements), len(f.statements), literal(f.hash))
}

// revisionsTable is the table exactly as the atlas command makes it: it drops columns it does not know.
func revisionsTable(schema string) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.atlas_schema_revisions (
version character varying NOT NULL PRIMARY KEY, description character varying NOT NULL, type bigint NOT NULL DEFAULT 2,
applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, executed_at timestamptz NOT NULL,
execution_time bigint NOT NULL, error text NULL, error_stmt text NULL, hash character varying NOT NULL,
partial_hashes jsonb NULL, operator_version character varying NOT NULL);
`, ident(schema))
}
