// Package fleet brings PostgreSQL schemas to a revision: one, or those of all schools.
//
// It applies the files that the atlas command writes and records them the way that command does,
// in atlas_schema_revisions of the schema they changed, so either tool sees what the other did.
package fleet

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
)

// Directory is a folder of migrations whose files were checked against their atlas.sum.
type Directory struct {
	files       []file // without the checkpoints
	checkpoints []file
	known       map[string]State // where the histories that lead along the directory end, by their digest
}

type file struct {
	name, version, description, hash string
	statements                       []string
	concurrent                       bool // atlas:txmode none
	required                         bool // homeroom:requires
	grants                           bool // there may be new tables or sequences, which have none
	counted                          bool // PostgreSQL counts the statements as the library does
	settings                         bool // it may leave settings on the session
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
		if checkpoint, ok := f.(migrate.CheckpointFile); ok && checkpoint.IsCheckpoint() {
			d.checkpoints = append(d.checkpoints, read)
		} else {
			d.files = append(d.files, read)
		}
	}
	d.known = d.digests()
	return d, nil
}

// streams finds COPY FROM STDIN and TO STDOUT.
var streams = regexp.MustCompile(`(?is)(^|;)\s*COPY\s[^;]*\b(FROM\s+STDIN|TO\s+STDOUT)\b`)

func readFile(f migrate.File, sums migrate.HashFile) (file, error) {
	hash, err := sums.SumByName(f.Name())
	if err != nil {
		return file{}, err
	}
	statements, err := f.Stmts()
	if err != nil {
		return file{}, err
	}
	if i := slices.IndexFunc(statements, streams.MatchString); i >= 0 {
		return file{}, fmt.Errorf("statement %d copies from or to the program that sends it, which has nothing to send", i+1)
	}
	read := file{name: f.Name(), version: f.Version(), description: f.Desc(), hash: hash, statements: statements, grants: needGrants(statements), settings: slices.ContainsFunc(statements, sets), required: isRequired(f.Bytes())}
	if local, ok := f.(*migrate.LocalFile); ok {
		mode := local.Directive("txmode")
		read.concurrent = len(mode) > 0 && mode[len(mode)-1] == "none"
		read.counted = len(local.Directive("delimiter")) == 0
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
	path := d.path(d.lastCheckpoint())
	if len(path) == 0 {
		return ""
	}
	return d.standsFor(path[len(path)-1].version)
}

func (d *Directory) lastCheckpoint() string {
	if len(d.checkpoints) == 0 {
		return ""
	}
	return d.checkpoints[len(d.checkpoints)-1].version
}

// path returns the files of a history that begins with a checkpoint, or of one that does not: "".
func (d *Directory) path(checkpoint string) []file {
	if checkpoint == "" {
		return d.files
	}
	at := slices.IndexFunc(d.checkpoints, func(f file) bool { return f.version == checkpoint })
	after := slices.IndexFunc(d.files, func(f file) bool { return f.version > checkpoint })
	if after < 0 {
		after = len(d.files)
	}
	return slices.Concat(d.checkpoints[at:at+1], d.files[after:])
}

// file returns the file of a revision that the directory has.
func (d *Directory) file(version string) file {
	all := slices.Concat(d.checkpoints, d.files)
	return all[slices.IndexFunc(all, func(f file) bool { return f.version == version })]
}

func (d *Directory) isCheckpoint(version string) bool {
	return slices.ContainsFunc(d.checkpoints, func(f file) bool { return f.version == version })
}

// standsFor returns the revision that a schema is at after the given one: a checkpoint sums up the
// files before it, so it is the last of those.
func (d *Directory) standsFor(version string) string {
	if !d.isCheckpoint(version) {
		return version
	}
	for _, f := range slices.Backward(d.files) {
		if f.version < version {
			return f.version
		}
	}
	return version
}
