package tenancy

import (
	"net"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// profile maps a hostname to its ASCII form as browsers look it up (UTS #46), and holds it to the
// letters, digits and hyphens of RFC 1123, section 2.1.
var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// NormaliseHost brings a Host header or a domain that somebody typed to the one form in which
// hosts are stored and compared: lower case, ASCII (IDNA), no port, no trailing dot. An IPv6
// address keeps its brackets. Anything that is no host is InvalidInput.
func NormaliseHost(host string) (string, error) {
	if name, ok := plain(host); ok {
		return name, nil
	}
	refused := fault.New(fault.InvalidInput, "This is no hostname.")
	if len(host) > 1024 || !utf8.ValidString(host) { // longer than any name in any encoding; spares IDNA the work
		return "", refused
	}
	name := withoutPort(host)
	if bare, ok := strings.CutPrefix(name, "["); ok {
		bare, ok = strings.CutSuffix(bare, "]")
		address, err := netip.ParseAddr(bare)
		if !ok || err != nil || !address.Is6() || address.Zone() != "" {
			return "", refused
		}
		return "[" + address.String() + "]", nil
	}
	ascii, err := profile.ToASCII(name)
	ascii = strings.TrimSuffix(ascii, ".") // not before: IDNA maps other full stops to this one
	if err != nil || strings.HasSuffix(ascii, ".") {
		return "", refused.Because(err)
	}
	return ascii, nil
}

// plain returns a host without its port if it is in its one form otherwise, as nearly all are: the
// rules of profile for lower-case ASCII, at a hundredth of the time.
func plain(host string) (string, bool) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && digits(host[i+1:]) {
		host = host[:i]
	}
	if len(host) > 253 {
		return "", false
	}
	start := 0 // of the label
	for i := 0; i <= len(host); i++ {
		if i < len(host) && host[i] != '.' {
			if c := host[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == start) {
				return "", false
			}
			continue
		}
		label := host[start:i]
		if len(label) == 0 || len(label) > 63 || label[len(label)-1] == '-' || len(label) > 3 && label[2:4] == "--" { // xn-- and its like
			return "", false
		}
		start = i + 1
	}
	return host, true
}

// withoutPort leaves brackets where they are: what they hold has to be an IPv6 address.
func withoutPort(host string) string {
	if _, port, err := net.SplitHostPort(host); err == nil && digits(port) {
		return strings.TrimSuffix(host, ":"+port)
	}
	return host
}

func digits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}

// NormaliseDomain is NormaliseHost for a name that is to lead to a school: an IP address or a
// port is refused too.
func NormaliseDomain(domain string) (string, error) {
	name, err := NormaliseHost(domain)
	if err != nil || withoutPort(domain) != domain {
		return "", fault.New(fault.InvalidInput, "This is no domain name: it takes letters, digits, hyphens and dots, without a port.")
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; strings.HasPrefix(name, "[") || digits(last) {
		return "", fault.New(fault.InvalidInput, "An IP address can't be a school's domain.")
	}
	return name, nil
}
