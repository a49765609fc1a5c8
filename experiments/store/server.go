package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Server lends a store to workers on other machines, over HTTP to whoever has
// the token. Nothing is encrypted: beyond one machine it is for a network whose
// machines are trusted, as a cluster's are.
type Server struct {
	Store Store  // which stays open when the server ends
	Token string // see NewToken
	Addr  string // host:port, :port for all of this machine's addresses; empty is a free port for this machine alone

	listener net.Listener
}

// NewToken returns a token that cannot be guessed, 64 hexadecimal digits.
func NewToken() string {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	return hex.EncodeToString(secret[:])
}

// TokenFile returns the token in a file that its owner alone can read. A file
// that is not there is made, with a new one.
func TokenFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if token := strings.TrimSpace(string(raw)); err == nil && token != "" {
		return token, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("token: %w", err)
	}
	token := NewToken()
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // which only its owner can read
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	defer os.Remove(f.Name()) // nothing, once it is renamed
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

// Listen takes the address, so that workers may be told of it before Serve. It
// returns the URL by which they [Open] the store.
func (s *Server) Listen() (string, error) {
	if s.Token == "" {
		panic("store: a server without a token")
	}
	addr := s.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("serve the store: %w: choose another address or port", err)
	}
	s.listener = listener
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return "", fmt.Errorf("serve the store: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("serve the store: this machine has no name: %w", err)
		}
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// shutdownTime is how long calls that are being answered may take when the
// server ends; each is repeated by its worker anyhow.
const shutdownTime = 5 * time.Second

// Serve answers workers until ctx ends, which is no error. Listen comes first.
func (s *Server) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: callTime,
		ReadTimeout:       6 * callTime,
		WriteTimeout:      6 * callTime,
		IdleTimeout:       6 * callTime,
		MaxHeaderBytes:    16 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the store: %w", err)
	case <-ctx.Done():
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if server.Shutdown(patient) != nil {
		server.Close()
	}
	<-ended
	return nil
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found || subtle.ConstantTimeCompare([]byte(token), []byte(s.Token)) != 1 {
		refuse(w, http.StatusUnauthorized, "the token is wrong: put the one that the launcher wrote in "+tokenVariable)
		return
	}
	name, found := strings.CutPrefix(r.URL.Path, pathPrefix)
	if !found {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%s is not of version 1 of what this launcher says to its workers: run the same flowbench on both machines", r.URL.Path))
		return
	}
	call := calls[name]
	if call == nil || r.Method != http.MethodPost {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("there is no call %s %.40s: run the same flowbench on both machines", r.Method, name))
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxCall)); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		refuse(w, status, fmt.Sprintf("the call cannot be read, or is more than %d MB: %v", maxCall>>20, err))
		return
	}
	out, err := s.answer(r, call, body.Bytes())
	switch sent := (wireError{}); {
	case err == nil:
		reply(w, http.StatusOK, out)
	case r.Context().Err() != nil: // nobody listens
	default:
		status := http.StatusUnprocessableEntity
		if sent = wireErrorOf(err); sent.typed() {
			status = http.StatusConflict
		}
		reply(w, status, sent)
	}
}

// answer makes the call. What panics is a call that no client of this program
// makes, and no reason to end the launcher.
func (s *Server) answer(r *http.Request, call call, body []byte) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return call(r.Context(), s.Store, body, r.Header.Get(againHeader) != "")
}

func refuse(w http.ResponseWriter, status int, text string) { reply(w, status, wireError{Text: text}) }

func reply(w http.ResponseWriter, status int, out any) {
	raw, err := json.Marshal(out)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"Text":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(raw) // an error is a worker that is gone
}
