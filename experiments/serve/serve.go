// Package serve shows studies in a browser while they run: the pages of package
// page, kept up to date by server-sent events. It only reads.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"flowbench/experiments/study"
)

// Options say what is served, and to whom.
type Options struct {
	Studies []*study.Study // at least one; the caller closes them, after Serve
	// Token lets in who knows it. It may be empty on a loopback address alone,
	// where only people on this machine can call.
	Token string
	// Every is how often the studies are looked at; 0 is a second.
	Every time.Duration
}

// shutdownTime is how long answers under way may take when the server ends.
const shutdownTime = 3 * time.Second

// Listen opens addr, such as 127.0.0.1:8080. An address that others can reach
// needs a token.
func Listen(addr, token string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve: %w; choose another address with --listen", err)
	}
	if at, ok := l.Addr().(*net.TCPAddr); token == "" && !(ok && at.IP.IsLoopback()) {
		l.Close()
		return nil, fmt.Errorf("serve: %s can be reached from other machines: that needs a token", addr)
	}
	return l, nil
}

// Serve answers on l until ctx ends, and then lets answers under way finish. It
// closes l.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	server := &http.Server{
		Handler:           Handler(o, l.Addr()),
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends the streams of events
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("serve: %w", err)
	}
	<-ended
	return nil
}
