package config

import (
	"os"
	"strconv"
)

// Database says which PostgreSQL a command works on: the one at the URL, else a private one in the
// data folder.
type Database struct {
	DatabaseURL     string `env:"HOMEROOM_DATABASE_URL" help:"PostgreSQL to work on, postgres://... (default: a private one in the data folder)." placeholder:"URL"`
	DatabaseURLFile string `env:"HOMEROOM_DATABASE_URL_FILE" help:"File that holds the database URL." placeholder:"PATH"`

	DirectDatabaseURL     string `env:"HOMEROOM_DIRECT_DATABASE_URL" help:"The same database, past the connection pooler that HOMEROOM_DATABASE_URL leads through: for migrations, for hearing of changes, and for making schools in databases of their own." placeholder:"URL"`
	DirectDatabaseURLFile string `env:"HOMEROOM_DIRECT_DATABASE_URL_FILE" help:"File that holds the direct database URL." placeholder:"PATH"`

	DataDir     string `default:".homeroom" help:"Folder of the private PostgreSQL and of what dev keeps." placeholder:"PATH"`
	PostgresBin string `env:"HOMEROOM_POSTGRES_BIN" help:"Folder of the PostgreSQL programs (default: the newest found)." placeholder:"PATH"`
	SecretsDir  string `env:"HOMEROOM_SECRETS_DIR" help:"Folder of the files that hold passwords of registered databases (default: none)." placeholder:"PATH"`
	MaxConns    string `env:"HOMEROOM_MAX_CONNS" default:"20" help:"Connections to all databases together, at most." placeholder:"N"`
}

func (c *checker) database(d Database, out *Checked) {
	out.DatabaseURL = c.databaseURL("HOMEROOM_DATABASE_URL", d.DatabaseURL, d.DatabaseURLFile)
	out.DirectDatabaseURL = c.databaseURL("HOMEROOM_DIRECT_DATABASE_URL", d.DirectDatabaseURL, d.DirectDatabaseURLFile)
	if out.DirectDatabaseURL != "" && out.DatabaseURL == "" {
		c.refuse("HOMEROOM_DIRECT_DATABASE_URL", masked, "a HOMEROOM_DATABASE_URL beside it, of the same database")
	}
	if info, err := os.Stat(d.SecretsDir); d.SecretsDir != "" && (err != nil || !info.IsDir()) {
		c.refuse("HOMEROOM_SECRETS_DIR", d.SecretsDir, "the path of a folder")
	}
	n, err := strconv.ParseInt(d.MaxConns, 10, 32)
	if err != nil || n < 4 || n > 10_000 {
		c.refuse("HOMEROOM_MAX_CONNS", d.MaxConns, "a number from 4 to 10000")
	}
	out.MaxConns = int32(n)
}
