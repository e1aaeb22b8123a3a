package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Listener makes problems of what net/http answers by itself, in plain text, to what it can't read as a request.
func Listener(inner net.Listener) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		return connection{tcp}, nil
	}
	return conn, err
}

// connection is net/http's, which writes such an answer past all handlers.
type connection struct{ *net.TCPConn }

func (c connection) Write(p []byte) (int, error) {
	status, reason := refusal(p)
	if status == 0 {
		return c.TCPConn.Write(p)
	}
	if _, err := c.TCPConn.Write(problemOf(refused(status, reason)).whole(status)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// refusal reads such an answer; another has status 0. No body that we send has a CR within that could make one of it.
func refusal(p []byte) (status int, reason string) {
	rest, answers := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !answers || len(rest) < 4 || rest[0] < '4' || rest[3] != ' ' {
		return 0, ""
	}
	status, err := strconv.Atoi(string(rest[:3]))
	line, head, ends := bytes.Cut(rest[4:], []byte("\r\n"))
	own := bytes.HasPrefix(head, []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"))
	if err != nil || !ends || !own && status != http.StatusExpectationFailed {
		return 0, ""
	}
	_, reason, _ = strings.Cut(string(line), ": ")
	return status, reason
}

func refused(status int, reason string) *fault.Error {
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge:
		return fault.New(fault.TooLarge, "The request's head is too large.")
	case status == http.StatusBadRequest && reason == "":
		return fault.New(fault.MalformedRequest, "The request can't be read.")
	}
	return fault.New(fault.MalformedRequest, "The request can't be read: %s.", cmp.Or(reason, strings.ToLower(http.StatusText(status))))
}

// whole is the answer with a status of its own and all that belongs to it; the connection ends with it.
func (p *Problem) whole(status int) []byte {
	p.Status, p.RequestID = status, uuid.Must(uuid.NewV7()).String()
	var body, all bytes.Buffer
	_ = marshal(&body, p) // it has nothing that can't be marshalled
	_, _ = fmt.Fprintf(&all, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n", status, http.StatusText(status), problemType, body.Len())
	_, _ = fmt.Fprintf(&all, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\n\r\n%s", p.RequestID, &body)
	return all.Bytes()
}
