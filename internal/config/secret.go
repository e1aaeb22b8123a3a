package config

import (
	"encoding/base64"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// masked stands for a secret in an error.
const masked = "***"

func (c *checker) databaseURL(name, value, path string) string {
	u := c.secret(name, value, path)
	if u == "" {
		return ""
	}
	config, err := pgx.ParseConfig(u) // whose error may hold the password
	switch {
	case err != nil || !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://"):
		c.refuse(name, masked, "a URL such as postgres://user:password@host:5432/homeroom?sslmode=require, what is special in the password written as %40 for @")
	case slices.ContainsFunc(slices.Collect(maps.Keys(config.RuntimeParams)), isPoolParameter):
		c.refuse(name, masked, "no parameter pool_* but pool_mode: HOMEROOM_MAX_CONNS says how many connections there are")
	}
	return u
}

func isPoolParameter(name string) bool {
	return strings.HasPrefix(name, "pool_") && name != "pool_mode"
}

// SigningKeys reads the signing keys that are given themselves or in a file. The error is Errors.
func SigningKeys(value, path string) ([][]byte, error) {
	var c checker
	keys := c.signingKeys(value, path)
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	return keys, nil
}

func (c *checker) signingKeys(value, path string) (keys [][]byte) {
	text := c.secret("HOMEROOM_SIGNING_KEY", value, path)
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		key, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(key) != 32 {
			c.refuse("HOMEROOM_SIGNING_KEY", masked, "32 random bytes in base64, as openssl rand -base64 32 prints them; several with commas or line breaks between them")
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

// secret is a value that may be given itself or in a file.
func (c *checker) secret(name, value, path string) string {
	if path == "" {
		return value
	}
	if value != "" {
		c.refuse(name, masked, "no value beside "+name+"_FILE: give one of the two")
		return ""
	}
	content, err := os.ReadFile(path)
	if err != nil {
		c.refuse(name+"_FILE", path, "the path of a file that can be read")
		return ""
	}
	return strings.TrimSpace(string(content))
}
