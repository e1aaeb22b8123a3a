package httpapi

import "net/http"

// InFlight lets a test wait for a request to arrive.
func (h *Handler) InFlight() int64 { return h.inFlight.Load() }

// ReplaceSystem puts another handler in the place of the system API.
func (h *Handler) ReplaceSystem(handler http.Handler) { h.system = handler }

// ReplaceTenant puts another handler in the place of the tenant API.
func (h *Handler) ReplaceTenant(handler http.Handler) { h.tenant = handler }

// Compressed is what both APIs are wrapped in.
var Compressed = compressed
