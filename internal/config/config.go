// Package config turns what the environment and the command line say into settings that are
// checked, and reports all that is wrong with them at once.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

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
	CORSOrigins    string `env:"HOMEROOM_CORS_ORIGINS" help:"Origins of pages that may use the APIs from a browser (default: none but the service's own)." placeholder:"ORIGIN,..."`
	RateLimit      string `env:"HOMEROOM_RATE_LIMIT" default:"5000" help:"Requests a second of one API key or user to this process; 0 for any number." placeholder:"N"`
	AnonymousLimit string `env:"HOMEROOM_ANONYMOUS_RATE_LIMIT" default:"100" help:"Requests a second without a valid credential from one address; 0 for any number." placeholder:"N"`
	LogLevel       string `env:"HOMEROOM_LOG_LEVEL" default:"info" help:"debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat      string `env:"HOMEROOM_LOG_FORMAT" help:"json or console (default: console on a terminal, else json)." placeholder:"FORMAT"`
	SigningKey     string `env:"HOMEROOM_SIGNING_KEY" help:"Keys of access tokens, 32 random bytes in base64 each, with commas or line breaks between them: the first signs, all verify (default: a new one at each start, so tokens end with the process)." placeholder:"KEY,..."`
	SigningKeyFile string `env:"HOMEROOM_SIGNING_KEY_FILE" help:"File that holds the signing keys." placeholder:"PATH"`
	OIDCIssuer     string `name:"oidc-issuer" env:"HOMEROOM_OIDC_ISSUER" help:"Identity provider (OpenID Connect) whose tokens operators may use." placeholder:"URL"`
	OIDCAudience   string `name:"oidc-audience" env:"HOMEROOM_OIDC_AUDIENCE" help:"Whom the provider's tokens must be meant for: our client id there." placeholder:"ID"`
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
	CORSOrigins    []string
	RateLimit      int // requests a second, 0 for no limit
	AnonymousLimit int // the same
	LogLevel       zerolog.Level
	LogFormat      string   // json, console, or "" to go by the terminal
	SigningKeys    [][]byte // the first signs; none for a new one
	OIDCIssuer     string   // "" for none
	OIDCAudience   string
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
	out.CORSOrigins = c.origins(s.CORSOrigins)
	out.RateLimit = c.limit("HOMEROOM_RATE_LIMIT", s.RateLimit)
	out.AnonymousLimit = c.limit("HOMEROOM_ANONYMOUS_RATE_LIMIT", s.AnonymousLimit)
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil || level < zerolog.DebugLevel || level > zerolog.ErrorLevel {
		c.refuse("HOMEROOM_LOG_LEVEL", s.LogLevel, "debug, info, warn or error")
	}
	out.LogLevel = level
	if out.LogFormat = s.LogFormat; s.LogFormat != "" && s.LogFormat != "json" && s.LogFormat != "console" {
		c.refuse("HOMEROOM_LOG_FORMAT", s.LogFormat, "json or console")
	}
	out.SigningKeys = c.signingKeys(s.SigningKey, s.SigningKeyFile)
	c.provider(s, out)
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

// provider checks the identity provider, whose keys must not come over a line that anybody can change.
func (c *checker) provider(s Service, out *Checked) {
	if (s.OIDCIssuer == "") != (s.OIDCAudience == "") {
		c.refuse("HOMEROOM_OIDC_ISSUER", "", "a URL together with HOMEROOM_OIDC_AUDIENCE: give both, or neither")
	}
	issuer, err := url.Parse(s.OIDCIssuer)
	if s.OIDCIssuer != "" && (err != nil || issuer.Host == "" || issuer.Scheme != "https" && (issuer.Scheme != "http" || !isLoopback(issuer.Hostname()))) {
		c.refuse("HOMEROOM_OIDC_ISSUER", s.OIDCIssuer, "a URL that begins with https://")
	}
	out.OIDCIssuer, out.OIDCAudience = s.OIDCIssuer, s.OIDCAudience
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
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

// origins are those that a browser would name (RFC 6454): no *, for that would be everybody.
func (c *checker) origins(list string) (origins []string) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != text || strings.Contains(text, "*") {
			c.refuse("HOMEROOM_CORS_ORIGINS", text, "exact origins such as https://console.example.org, with commas between them")
		}
		origins = append(origins, text)
	}
	return origins
}

func (c *checker) limit(name, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		c.refuse(name, text, "requests a second, from 1 to 1000000, or 0 for any number")
	}
	return n
}
