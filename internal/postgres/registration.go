package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Registration is a PostgreSQL database as somebody registered it. It holds no secret: the password
// lies where PasswordRef says.
type Registration struct {
	URL         string // postgres://..., without a password
	PasswordRef string // env:HOMEROOM_DB_PASSWORD_... or file:PATH, in the folder of secrets; "" for none
	Dedicated   bool   // the database itself is for one school

	ours bool // the URL is a setting of this process, which may hold a password or leave it to PGPASSWORD
}

// Setting returns the database at a URL that is a setting: primary.
func Setting(url string) Registration { return Registration{URL: url, ours: true} }

// secretParameters are those of a URL by which it would hold a secret, or say itself where one lies.
var secretParameters = []string{"password", "sslpassword", "passfile", "service", "servicefile"}

// nameParameters are those that name the database, before the path does.
var nameParameters = []string{"dbname", "database"}

// Check returns what is wrong with the registration as fields named url and password_ref. The value
// of neither is repeated: it may be a secret in the wrong place.
func (r Registration) Check() (faults []fault.Field) {
	if message := checkURL(r.URL); message != "" {
		faults = append(faults, fault.Field{Location: "url", Message: message})
	}
	if _, err := r.password(); err != nil {
		faults = append(faults, fault.Field{Location: "password_ref", Message: fault.Of(err).Message})
	}
	return faults
}

func checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || strings.Trim(u.Path, "/") == "" || strings.Contains(strings.Trim(u.Path, "/"), "/"):
		return "This takes a URL such as postgres://user@host:5432/database."
	case hasPassword(u):
		return "The URL must not hold a password: password_ref says where the password is."
	}
	for _, name := range secretParameters {
		if u.Query().Has(name) {
			return "The URL must not hold the parameter " + name + ": password_ref says where the password is."
		}
	}
	if _, _, err := net.SplitHostPort(u.Query().Get(direct)); err != nil && u.Query().Has(direct) {
		return "The URL's parameter direct takes host:port, where the database is reached past its connection pooler."
	}
	for _, name := range nameParameters {
		if u.Query().Has(name) {
			return "The URL must not hold the parameter " + name + ": the database is named by the path."
		}
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return "The URL has parameters that can't be used."
	}
	for name := range config.RuntimeParams {
		if strings.HasPrefix(name, "pool_") && name != "pool_mode" {
			return "The URL must not hold the parameter " + name + ": how many connections there are is a setting of the service."
		}
	}
	return ""
}

// direct is the parameter of a URL that says where the database is reached past its pooler.
const direct = "direct"

// Direct returns the registration past its pooler, for what needs a session of its own, where the URL says
// ?direct=host:port; else the registration itself.
func (r Registration) Direct() Registration {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r
	}
	query := parameters(u)
	host, port, err := net.SplitHostPort(query.Get(direct))
	if err != nil {
		return r
	}
	query.Del(direct)
	query.Del("pool_mode")
	query.Set("host", host)
	query.Set("port", port)
	u.RawQuery = encoded(query)
	r.URL = u.String()
	return r
}

// parameters returns those of a URL as pgx and libpq read them: to them a + is no space.
func parameters(u *url.URL) url.Values {
	values, _ := url.ParseQuery(strings.ReplaceAll(u.RawQuery, "+", "%2B")) // pgx says what is wrong
	return values
}

// encoded writes parameters as pgx and libpq read them.
func encoded(values url.Values) string { return strings.ReplaceAll(values.Encode(), "+", "%20") }

func hasPassword(u *url.URL) bool {
	_, found := u.User.Password()
	return found
}

// What a password may be read from. Whoever registers a database also chooses the server that is sent the
// password: so it is never another secret of this process.
const (
	passwordPrefix = "HOMEROOM_DB_PASSWORD_" // of variables
	secretsDir     = "HOMEROOM_SECRETS_DIR"  // the variable that names the folder of files
)

// password reads the password where it lies, each time: it may have been changed.
func (r Registration) password() (string, error) {
	kind, at, _ := strings.Cut(r.PasswordRef, ":")
	switch {
	case r.PasswordRef == "":
		return "", nil
	case kind == "env" && at != "":
		if !strings.HasPrefix(at, passwordPrefix) {
			return "", fault.New(fault.InvalidInput, "The variable's name has to begin with %s.", passwordPrefix)
		}
		password, found := os.LookupEnv(at)
		if !found {
			return "", fault.New(fault.InvalidInput, "There is no such variable in the environment of this process.")
		}
		return password, nil
	case kind == "file" && at != "":
		content, err := readSecret(os.Getenv(secretsDir), at)
		if err != nil {
			return "", fault.New(fault.InvalidInput, "This is no file that this process can read in the folder that %s names.", secretsDir).Because(err)
		}
		return strings.TrimRight(string(content), "\r\n"), nil
	}
	return "", fault.New(fault.InvalidInput, "This takes env:NAME or file:PATH.")
}

// readSecret reads a file of a folder, and none that lies elsewhere, also not by a link.
func readSecret(dir, path string) (content []byte, err error) {
	if dir == "" {
		return nil, errors.New("no folder is named")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if filepath.IsAbs(path) {
		if path, err = filepath.Rel(dir, path); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.ReadFile(path)
}

// Address returns the URL to connect with, password included, so it is never to be shown: of the
// database itself or, where own names one and the registration is of a server for many, of that one.
func (r Registration) Address(own string) (string, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return "", fmt.Errorf("the database's URL is none") // url's own error repeats it
	}
	password, err := r.password()
	if err != nil {
		return "", fmt.Errorf("reading the password of the database: %w", err)
	}
	query := parameters(u)
	if !r.ours { // also where it is empty: else pgx looks for one itself, in PGPASSWORD and ~/.pgpass
		query.Set("password", password)
		query.Set("passfile", "")
	}
	if own != "" && !r.Dedicated {
		u.Path = "/" + own
		for _, name := range nameParameters { // of a setting, which nobody checks
			query.Del(name)
		}
	}
	u.RawQuery = encoded(query)
	return u.String(), nil
}
