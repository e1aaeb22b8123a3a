package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded returns the client's address and, where the request came through a trusted proxy, puts
// the host that the client asked for into r. From anybody else X-Forwarded-* is only hearsay.
func (h *Handler) forwarded(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap()
	if !h.trusts(address) {
		return address
	}
	if host := last(r.Header.Values("X-Forwarded-Host")); host != "" {
		r.Host = host
	}
	return h.client(address, r.Header.Values("X-Forwarded-For"))
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
