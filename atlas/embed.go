// Package atlas carries the versioned migrations of both graphs, as the atlas command writes them.
package atlas

import (
	"embed"
	"io/fs"
)

//go:embed public tenant
var files embed.FS

// Public returns the migrations of the platform's own tables.
func Public() fs.FS { return folder("public") }

// Tenant returns the migrations of a school's tables. They name no schema.
func Tenant() fs.FS { return folder("tenant") }

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the name is a constant that go:embed has checked
	}
	return sub
}
