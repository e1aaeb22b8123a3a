package httpapi

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin is where a request comes from and which host it is for.
type origin struct {
	host    string
	address netip.Addr
	https   bool
}

// forwarded returns what a trusted proxy says of the client, if the request came through one. From
// anybody else X-Forwarded-* is only hearsay.
func (h *Handler) forwarded(r *http.Request) origin {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return origin{host: r.Host}
	}
	address := peer.Addr().Unmap()
	if !h.trusts(address) {
		return origin{host: r.Host, address: address}
	}
	return origin{
		host:    cmp.Or(last(r.Header.Values("X-Forwarded-Host")), r.Host),
		address: h.client(address, r.Header.Values("X-Forwarded-For")),
		https:   last(r.Header.Values("X-Forwarded-Proto")) == "https",
	}
}

// client goes back from the proxy that called us to the first address that is none of ours: what
// stands before it could be made up.
func (h *Handler) client(address netip.Addr, lines []string) netip.Addr {
	hops := strings.Split(strings.Join(lines, ","), ",")
	for _, hop := range slices.Backward(hops) {
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return address
		}
		if address = before.Unmap(); !h.trusts(address) {
			return address
		}
	}
	return address
}

func (h *Handler) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(h.settings.TrustedProxies, func(network netip.Prefix) bool { return network.Contains(address) })
}

// last is the value that the nearest proxy added.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:])
}
