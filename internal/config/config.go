// Package config turns what the environment and the command line say into settings that are
// checked, and reports all that is wrong with them at once.
package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
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
	MaxConns    string `env:"HOMEROOM_MAX_CONNS" default:"20" help:"Connections to all databases together, at most." placeholder:"N"`
}

// Platform is how schools are reached.
type Platform struct {
	PublicHosts string `env:"HOMEROOM_PUBLIC_HOSTS" default:"localhost,127.0.0.1,[::1]" help:"Hosts that serve the system API." placeholder:"HOST,..."`
	BaseDomain  string `env:"HOMEROOM_BASE_DOMAIN" help:"A new school without a domain gets <code>.<base domain> (localhost with a private PostgreSQL)." placeholder:"DOMAIN"`
	TenantRoles string `env:"HOMEROOM_TENANT_ROLES" default:"auto" help:"on: each school's requests run as a PostgreSQL role of its own. auto: where the login may create roles." placeholder:"auto|on|off"`
}

// Service is how the service runs.
type Service struct {
	Listen         string `env:"HOMEROOM_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on; port 0 picks one." placeholder:"HOST:PORT"`
	ReadyFile      string `help:"File to write once requests are answered: JSON with url, pid and database_url." placeholder:"PATH"`
	TrustedProxies string `env:"HOMEROOM_TRUSTED_PROXIES" help:"Networks whose X-Forwarded-Host, -For and -Proto count." placeholder:"CIDR,..."`
	LogLevel       string `env:"HOMEROOM_LOG_LEVEL" default:"info" help:"debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat      string `env:"HOMEROOM_LOG_FORMAT" help:"json or console (default: console on a terminal, else json)." placeholder:"FORMAT"`
	SigningKey     string `env:"HOMEROOM_SIGNING_KEY" help:"Key that signs access tokens: 32 random bytes in base64 (default: a new one at each start, so tokens end with the process)." placeholder:"KEY"`
	SigningKeyFile string `env:"HOMEROOM_SIGNING_KEY_FILE" help:"File that holds the signing key." placeholder:"PATH"`
	Retention      string `env:"HOMEROOM_RETENTION" default:"30d" help:"How long a deleted school is kept before it is purged." placeholder:"DURATION"`
	DrainTimeout   string `env:"HOMEROOM_DRAIN_TIMEOUT" default:"20s" help:"How long requests in flight may take to finish when the service stops." placeholder:"DURATION"`

	SchoolMaxConcurrency string `env:"HOMEROOM_SCHOOL_MAX_CONCURRENCY" help:"Requests of one school at work at once; more wait a while, then get 429 (default: half of HOMEROOM_MAX_CONNS)." placeholder:"N"`
}

// Checked holds the settings in the form that the program uses. Parts that were not asked for are
// left at their zero value.
type Checked struct {
	DatabaseURL       string
	DirectDatabaseURL string // "" for none
	MaxConns          int32

	PublicHosts []string
	BaseDomain  string
	TenantRoles string // auto, on or off

	TrustedProxies []netip.Prefix
	LogLevel       zerolog.Level
	LogFormat      string // json, console, or "" to go by the terminal
	SigningKey     []byte // nil for a new one
	DrainTimeout   time.Duration
	Retention      time.Duration

	SchoolMaxConcurrency int // requests
}

// Errors are all that is wrong with the settings.
type Errors []string

func (e Errors) Error() string { return strings.Join(e, "\n") }

// checker collects what is wrong.
type checker struct {
	errors    Errors
	normalise func(string) (string, error) // of hosts
}

func (c *checker) refuse(name, held, takes string) {
	if held != "" {
		held = " is " + strconv.Quote(held) + ", but"
	}
	c.errors = append(c.errors, fmt.Sprintf("%s%s takes %s", name, held, takes))
}

// masked stands for a secret in an error.
const masked = "***"

// Check turns the settings into their checked form; a nil part is passed over. normaliseHost is
// how hosts are brought to one form. The error is Errors, with every mistake.
func Check(database *Database, platform *Platform, service *Service, normaliseHost func(string) (string, error)) (Checked, error) {
	c := checker{normalise: normaliseHost}
	var out Checked
	if database != nil {
		c.database(*database, &out)
	}
	if platform != nil {
		c.platform(*platform, &out)
	}
	if service != nil {
		c.service(*service, &out)
	}
	if len(c.errors) > 0 {
		return Checked{}, c.errors
	}
	return out, nil
}

func (c *checker) database(d Database, out *Checked) {
	out.DatabaseURL = c.databaseURL("HOMEROOM_DATABASE_URL", d.DatabaseURL, d.DatabaseURLFile)
	out.DirectDatabaseURL = c.databaseURL("HOMEROOM_DIRECT_DATABASE_URL", d.DirectDatabaseURL, d.DirectDatabaseURLFile)
	if out.DirectDatabaseURL != "" && out.DatabaseURL == "" {
		c.refuse("HOMEROOM_DIRECT_DATABASE_URL", masked, "a HOMEROOM_DATABASE_URL beside it, of the same database")
	}
	n, err := strconv.ParseInt(d.MaxConns, 10, 32)
	if err != nil || n < 4 || n > 10_000 {
		c.refuse("HOMEROOM_MAX_CONNS", d.MaxConns, "a number from 4 to 10000")
	}
	out.MaxConns = int32(n)
}

func (c *checker) databaseURL(name, value, path string) string {
	u := c.secret(name, value, path)
	if u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		c.refuse(name, masked, "a URL such as postgres://user:password@host:5432/homeroom")
	}
	return u
}

func (c *checker) platform(p Platform, out *Checked) {
	if out.TenantRoles = p.TenantRoles; !slices.Contains([]string{"auto", "on", "off"}, p.TenantRoles) {
		c.refuse("HOMEROOM_TENANT_ROLES", p.TenantRoles, "auto, on or off")
	}
	for _, host := range strings.Split(p.PublicHosts, ",") {
		name, err := c.normalise(strings.TrimSpace(host))
		if err != nil {
			c.refuse("HOMEROOM_PUBLIC_HOSTS", host, "hostnames or addresses without a port, with commas between them")
		}
		out.PublicHosts = append(out.PublicHosts, name)
	}
	if p.BaseDomain != "" {
		name, err := c.normalise(p.BaseDomain)
		if err != nil {
			c.refuse("HOMEROOM_BASE_DOMAIN", p.BaseDomain, "a domain such as schools.example.org")
		}
		out.BaseDomain = name
	}
}

func (c *checker) service(s Service, out *Checked) {
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || !isPort(port) {
		c.refuse("HOMEROOM_LISTEN", s.Listen, "an address such as 127.0.0.1:8080 or :8080")
	}
	out.TrustedProxies = c.networks(s.TrustedProxies)
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil || level < zerolog.DebugLevel || level > zerolog.ErrorLevel {
		c.refuse("HOMEROOM_LOG_LEVEL", s.LogLevel, "debug, info, warn or error")
	}
	out.LogLevel = level
	if out.LogFormat = s.LogFormat; s.LogFormat != "" && s.LogFormat != "json" && s.LogFormat != "console" {
		c.refuse("HOMEROOM_LOG_FORMAT", s.LogFormat, "json or console")
	}
	out.SigningKey = c.signingKey(s.SigningKey, s.SigningKeyFile)
	if out.DrainTimeout, err = time.ParseDuration(s.DrainTimeout); err != nil || out.DrainTimeout < 0 {
		c.refuse("HOMEROOM_DRAIN_TIMEOUT", s.DrainTimeout, "a duration such as 20s")
	}
	if out.Retention, err = days(s.Retention); err != nil || out.Retention <= 0 {
		c.refuse("HOMEROOM_RETENTION", s.Retention, "a duration such as 30d or 72h")
	}
	out.SchoolMaxConcurrency = int(out.MaxConns) / 2
	if most := s.SchoolMaxConcurrency; most != "" {
		if out.SchoolMaxConcurrency, err = strconv.Atoi(most); err != nil || out.SchoolMaxConcurrency < 1 || out.SchoolMaxConcurrency > 10_000 {
			c.refuse("HOMEROOM_SCHOOL_MAX_CONCURRENCY", most, "a number from 1 to 10000")
		}
	}
}

// SigningKey reads a signing key that is given itself or in a file; nil if neither is. The error is
// Errors.
func SigningKey(value, path string) ([]byte, error) {
	var c checker
	key := c.signingKey(value, path)
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	return key, nil
}

func (c *checker) signingKey(value, path string) []byte {
	text := c.secret("HOMEROOM_SIGNING_KEY", value, path)
	if text == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		c.refuse("HOMEROOM_SIGNING_KEY", masked, "32 random bytes in base64, as openssl rand -base64 32 prints them")
	}
	return key
}

// days is time.ParseDuration that knows days too.
func days(text string) (time.Duration, error) {
	number, whole := strings.CutSuffix(text, "d")
	if !whole {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}

func isPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

func (c *checker) networks(list string) (networks []netip.Prefix) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		network, err := netip.ParsePrefix(text)
		if address, bare := netip.ParseAddr(text); bare == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			c.refuse("HOMEROOM_TRUSTED_PROXIES", text, "networks such as 10.0.0.0/8, with commas between them")
		}
		networks = append(networks, network)
	}
	return networks
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
