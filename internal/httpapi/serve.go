package httpapi

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
)

// Serve answers requests on listener until ctx ends. Then /readyz says no, requests in flight have
// up to drain to finish, and those that come meanwhile are still answered: whoever sends them may
// not have asked /readyz yet.
func Serve(ctx context.Context, listener net.Listener, handler *Handler, drain time.Duration) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          stdlog.New(debugWriter{handler.settings.Log}, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(wire.Listener(listener)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	handler.Drain(ending)
	err := server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		handler.settings.Log.Warn().Dur("drain_timeout_ms", drain).Msg("requests were still in flight and have been cut off")
		err = server.Close()
	}
	if stopped := <-failed; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

// debugWriter takes what net/http says of connections: most of it is scanners.
type debugWriter struct{ log zerolog.Logger }

func (w debugWriter) Write(p []byte) (int, error) {
	w.log.Debug().Msg(strings.TrimSpace(string(p)))
	return len(p), nil
}
