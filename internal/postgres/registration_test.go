package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/postgres"
)

func TestAddress(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOMEROOM_SECRETS_DIR", dir)
	path, secret := filepath.Join(dir, "password"), `p@ss/w:rd%41 ?&#ü`
	must(t, os.WriteFile(path, []byte(secret+"\n"), 0o600))
	t.Setenv("HOMEROOM_DB_PASSWORD_TEST", secret)
	for _, ref := range []string{"env:HOMEROOM_DB_PASSWORD_TEST", "file:" + path, "file:password"} {
		for own, want := range map[string]string{"": "schools", "school_elm": "school_elm"} {
			r := postgres.Registration{URL: "postgres://homeroom@db.example:5433/schools?sslmode=disable&application_name=x", PasswordRef: ref}
			if faults := r.Check(); faults != nil {
				t.Fatal(faults)
			}
			address, err := r.Address(own)
			must(t, err)
			config, err := pgx.ParseConfig(address)
			must(t, err)
			if config.Password != secret || config.User != "homeroom" || config.Database != want || config.Host != "db.example" || config.Port != 5433 {
				t.Errorf("%s %s: %s", ref, own, address)
			}
		}
	}
	dedicated := postgres.Registration{URL: "postgres://homeroom@db.example/alone", Dedicated: true}
	address, err := dedicated.Address("school_elm")
	must(t, err)
	config, err := pgx.ParseConfig(address)
	must(t, err)
	if config.Database != "alone" {
		t.Error(address)
	}
	pooled := postgres.Registration{URL: "postgres://homeroom@pooler.example:6432/schools?sslmode=disable&pool_mode=transaction&direct=db.example:5433", PasswordRef: "env:HOMEROOM_DB_PASSWORD_TEST"}
	if faults := pooled.Check(); faults != nil {
		t.Fatal(faults)
	}
	address, err = pooled.Direct().Address("school_elm")
	must(t, err)
	config, err = pgx.ParseConfig(address)
	must(t, err)
	if config.Password != secret || config.Database != "school_elm" || config.Host != "db.example" || config.Port != 5433 || len(config.RuntimeParams) > 0 || len(config.Fallbacks) > 0 {
		t.Error("past the pooler: " + address)
	}
	if dedicated.Direct() != dedicated {
		t.Error("without a pooler the way past it is another")
	}
	primary := postgres.Setting("postgres://homeroom@db.example/?dbname=a&database=b&sslmode=disable") // which nobody checks
	address, err = primary.Address("school_elm")
	must(t, err)
	config, err = pgx.ParseConfig(address)
	must(t, err)
	if config.Database != "school_elm" || config.TLSConfig != nil {
		t.Error(address)
	}
	spaced := postgres.Registration{URL: "postgres://u@h/d?direct=db:1&application_name=a%20b+c%2Bd"}
	for _, r := range []postgres.Registration{spaced, spaced.Direct(), postgres.Setting(spaced.URL)} {
		for _, own := range []string{"", "school_elm"} {
			address, err := r.Address(own)
			must(t, err)
			config, err := pgx.ParseConfig(address)
			must(t, err)
			if name := config.RuntimeParams["application_name"]; name != "a b+c+d" {
				t.Errorf("%s: %q", address, name)
			}
		}
	}
	gone := postgres.Registration{URL: "postgres://homeroom@db.example/alone", PasswordRef: "env:HOMEROOM_DB_PASSWORD_GONE"}
	if address, err := gone.Address(""); err == nil || address != "" {
		t.Error("without its password it has an address")
	}
}

func TestCheckedRegistration(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "x", "postgres:", "postgres://", "postgres://h", "postgres://h/", "postgres://h/a/b", "mysql://h/d", "http://h/d", "host=h dbname=d", "postgres://h/d\x00", "postgres://%zz/d", "postgres://h:port/d",
		"postgres://u:hunter2@h/d", "postgres://u:@h/d", "postgres://h/d?password=hunter2", "postgres://h/d?sslpassword=hunter2", "postgres://h/d?passfile=hunter2", "postgres://h/d?service=x", "postgres://h/d?pass%77ord=hunter2",
		"postgres://h/d?sslmode=maybe", "postgres://h/d?direct=h", "postgres://h/d?direct=", "postgres://h/d?pool_max_conns=many", "postgres://h/d?pool_max_conns=4",
		"postgres://h/d?dbname=x", "postgres://h/d?database=x",
	} {
		faults := postgres.Registration{URL: url}.Check()
		if len(faults) != 1 || faults[0].Location != "url" || strings.Contains(faults[0].Message, "hunter2") {
			t.Errorf("%q: %v", url, faults)
		}
	}
	for _, ref := range []string{"hunter2", "env", "env:", "file:", "file:/no/such/file", "env:HOMEROOM_DB_PASSWORD_NO_SUCH", "vault:x", ":"} {
		faults := postgres.Registration{URL: "postgres://u@h/d", PasswordRef: ref}.Check()
		if len(faults) != 1 || faults[0].Location != "password_ref" || strings.Contains(faults[0].Message, "hunter2") {
			t.Errorf("%q: %v", ref, faults)
		}
	}
}

// A reference leads to no secret but a database's password.
func TestOtherSecretsStaySecret(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "secrets")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(top, "other"), []byte("hunter2"), 0o600))
	must(t, os.Symlink(filepath.Join(top, "other"), filepath.Join(dir, "link")))
	must(t, os.WriteFile(filepath.Join(dir, "north"), []byte("hunter2"), 0o600))
	t.Setenv("HOMEROOM_SIGNING_KEY", "hunter2")
	t.Setenv("HOMEROOM_DATABASE_URL", "hunter2")
	refused := func(ref string) {
		t.Helper()
		r := postgres.Registration{URL: "postgres://u@h/d", PasswordRef: ref}
		address, err := r.Address("")
		if faults := r.Check(); len(faults) != 1 || faults[0].Location != "password_ref" || err == nil || address != "" || strings.Contains(faults[0].Message+err.Error(), "hunter2") {
			t.Errorf("%s: %v %v", ref, faults, err)
		}
	}
	t.Setenv("HOMEROOM_SECRETS_DIR", dir)
	for _, ref := range []string{
		"env:HOMEROOM_SIGNING_KEY", "env:HOMEROOM_DATABASE_URL", "env:PATH",
		"file:" + filepath.Join(top, "other"), "file:../other", "file:" + dir + "/../other", "file:link", "file:.", "file:/etc/passwd",
	} {
		refused(ref)
	}
	t.Chdir(top)
	t.Setenv("HOMEROOM_SECRETS_DIR", "secrets")
	refused("file:" + filepath.Join(top, "other"))
	for _, ref := range []string{"file:north", "file:" + filepath.Join(dir, "north")} {
		if faults := (postgres.Registration{URL: "postgres://u@h/d", PasswordRef: ref}).Check(); faults != nil {
			t.Errorf("%s in a folder with a relative path: %v", ref, faults)
		}
	}
	t.Setenv("HOMEROOM_SECRETS_DIR", "")
	refused("file:" + filepath.Join(dir, "north"))
	refused("file:north")
}

// A registered database without a password gets none: also not the one that the login of primary has in
// libpq's own places.
func TestNoPasswordIsFound(t *testing.T) {
	passfile := filepath.Join(t.TempDir(), "pgpass")
	must(t, os.WriteFile(passfile, []byte("*:*:*:*:hunter2\n"), 0o600))
	t.Setenv("PGPASSFILE", passfile)
	t.Setenv("HOMEROOM_DB_PASSWORD_EMPTY", "")
	for _, password := range []string{"", "hunter2"} {
		t.Setenv("PGPASSWORD", password)
		for want, registrations := range map[string][]postgres.Registration{
			"":        {{URL: "postgres://u@h/d"}, {URL: "postgres://h/d?sslmode=disable"}, {URL: "postgres://u@h/d", PasswordRef: "env:HOMEROOM_DB_PASSWORD_EMPTY"}},
			"hunter2": {postgres.Setting("postgres://u@h/d")},
		} {
			for _, r := range registrations {
				for _, own := range []string{"", "school_elm"} {
					address, err := r.Address(own)
					must(t, err)
					config, err := pgx.ParseConfig(address)
					must(t, err)
					if config.Password != want {
						t.Errorf("%v %q: the password is %q", r, own, config.Password)
					}
				}
			}
		}
	}
}
