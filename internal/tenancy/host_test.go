package tenancy

import (
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

func TestNormaliseHost(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("a", 62)+".", 4) + "b" // 253 characters
	for host, want := range map[string]string{
		"greenwood.example": "greenwood.example", "GreenWood.EXAMPLE": "greenwood.example", "greenwood.example:8080": "greenwood.example",
		"greenwood.example:": "greenwood.example", "greenwood.example.": "greenwood.example", "GREENWOOD.example.:443": "greenwood.example",
		"localhost": "localhost", "a": "a", "a.b.c.d.e": "a.b.c.d.e", "127.0.0.1:80": "127.0.0.1", "1.2.3": "1.2.3", "3com.example": "3com.example", "a-b--c.example": "a-b--c.example",
		"bücher.example": "xn--bcher-kva.example", "BÜCHER.Example:80": "xn--bcher-kva.example", "bu\u0308cher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"XN--Bcher-KVA.example": "xn--bcher-kva.example", "学校.example": "xn--48s290a.example", "a。b．c｡": "a.b.c", "ＧＲＥＥＮ.example": "green.example", "straße.example": "xn--strae-oqa.example",
		"a\u00adb.example": "ab.example", "[::1]": "[::1]", "[::1]:8080": "[::1]", "[0:0:0:0:0:0:0:1]": "[::1]", "[2001:DB8::A]:1": "[2001:db8::a]", "[::ffff:1.2.3.4]": "[::ffff:1.2.3.4]",
		long: long, long + ".": long, long + ".:80": long,
	} {
		if got, err := NormaliseHost(host); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", host, got, err, want)
		}
	}
	for _, host := range []string{
		"", " ", ".", "..", ":", ":80", ".example", "a..b", "a.example..", "a.example。.", "。", "a.example:80:80", "a.example:http", "a.example:-1", "a.example: 80", "a.example:８０",
		"a b.example", " a.example", "a.example ", "a\tb", "a.example\n", "a.example\r\nX: y", "a\x00b", "a\x7fb", "\xff.example", "a_b.example", "_dmarc.example", "-a.example", "a-.example",
		"a%20b.example", "%61.example", "a.example/", "a.example/x", "a\\b", "a@b.example", "*.example", "a,b", "a;b", "a'b", `a"b`, "a(b)", "a=b", "a?b", "a#b", "http://a.example", "$a",
		"::1", "::1:80", "2001:db8::a", "[::1", "::1]", "[::1]]", "[[::1]]", "[]", "[]:80", "[a.example]", "[a.example]:80", "[1.2.3.4]", "[::1%eth0]", "[::1%25eth0]", "[::1].", "[::1]x", "x[::1]", "[::1]:http", "[g::1]",
		strings.Repeat("a", 64) + ".example", long + "b.c", strings.Repeat("a.", 600), strings.Repeat("ü", 64) + ".example", "xn--.example", "xn--a.example", "xn--\u00fc.example", "\u05d0a.example", "\u200d.example", "\u0301a.example",
	} {
		if got, err := NormaliseHost(host); !fault.Is(err, fault.InvalidInput) || got != "" {
			t.Errorf("%q: %q %v", host, got, err)
		}
	}
}

func TestNormaliseDomain(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]string{
		"GreenWood.Example.": "greenwood.example", "bücher.example": "xn--bcher-kva.example", "localhost": "localhost", "1.example": "1.example", "4x4.x2": "4x4.x2", "1.2.3.4.example": "1.2.3.4.example",
	} {
		if got, err := NormaliseDomain(domain); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", domain, got, err, want)
		}
	}
	for _, domain := range []string{
		"", "a.example:80", "a.example:", "a.example.:443", "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "１２７.0.0.1", "1.2.3.4:80", "a.1", "0x7f.1", "[::1]", "[::1]:80", "::1", "[2001:db8::a]", "a b", "a_b.example",
	} {
		if got, err := NormaliseDomain(domain); !fault.Is(err, fault.InvalidInput) || got != "" {
			t.Errorf("%q: %q %v", domain, got, err)
		}
	}
}

func FuzzNormaliseHost(f *testing.F) {
	for _, host := range []string{
		"Greenwood.Example.:80", "bücher。example", "[::1%25eth0]:80", "[::FFFF:1.2.3.4]", "xn--bcher-kva", "xn--xn--a-.example", "a\u00ad", "[a]:1", "a:1:1", "ẞ.example", "\u2488com", "１.２.３.４", "％61", ".:", "xn--a-ecp.ru",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := NormaliseHost(host)
		if quick, ok := plain(host); ok {
			if ascii, err := profile.ToASCII(quick); err != nil || ascii != quick || withoutPort(host) != quick {
				t.Errorf("%q: %q is no plain host: %q %v", host, quick, ascii, err)
			}
		}
		if err != nil {
			if got != "" || !fault.Is(err, fault.InvalidInput) {
				t.Errorf("%q: %q %v", host, got, err)
			}
			return
		}
		if again, err := NormaliseHost(got); err != nil || again != got {
			t.Errorf("%q: %q, again %q %v", host, got, again, err)
		}
		if withPort, err := NormaliseHost(got + ":8080"); err != nil || withPort != got {
			t.Errorf("%q: %q, with a port %q %v", host, got, withPort, err)
		}
		letters := "abcdefghijklmnopqrstuvwxyz0123456789-."
		if strings.HasPrefix(got, "[") {
			letters = "[]:.0123456789abcdef"
		}
		if got == "" || len(got) > 253 || strings.Trim(got, letters) != "" || strings.HasSuffix(got, ".") {
			t.Errorf("%q: %q", host, got)
		}
		domain, err := NormaliseDomain(host)
		if err == nil && (domain != got || strings.ContainsAny(domain, "[:]")) {
			t.Errorf("%q: host %q, domain %q", host, got, domain)
		}
	})
}
