package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"flowbench/experiments/page"
)

// cookieName holds the token after the first call.
const cookieName = "flowbench_token"

// NewToken is 128 bits of chance in hexadecimal.
func NewToken() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// guard lets only reading through, only who has the token, and only calls that
// mean this server; everything that goes out carries the same headers.
func guard(o Options, at net.Addr, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "this server only reads: use GET", http.StatusMethodNotAllowed)
		case o.Token == "" && !loopbackHost(r.Host):
			// A page elsewhere that points its own name at this machine gets nothing.
			http.Error(w, "call this server by a loopback address, such as "+at.String(), http.StatusMisdirectedRequest)
		case o.Token != "" && r.URL.Query().Has("token") && equal(r.URL.Query().Get("token"), o.Token):
			keepToken(w, r, o.Token)
		case o.Token != "" && !carries(r, o.Token):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this server needs its token: open the address that it printed, or send Authorization: Bearer TOKEN", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", page.Policy("'self'")+"; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// loopbackHost says whether a Host header names this machine's loopback.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// keepToken moves the token from the address, which histories and logs keep, into
// a cookie that scripts cannot read.
func keepToken(w http.ResponseWriter, r *http.Request, token string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil})
	query := r.URL.Query()
	query.Del("token")
	to := *r.URL
	to.RawQuery = query.Encode()
	// A path alone: // would name another host.
	http.Redirect(w, r, "/"+strings.TrimLeft(to.RequestURI(), "/"), http.StatusSeeOther)
}

func carries(r *http.Request, token string) bool {
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return equal(given, token)
	}
	cookie, err := r.Cookie(cookieName)
	return err == nil && equal(cookie.Value, token)
}

// equal compares in a time that does not depend on where they differ.
func equal(given, token string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Loopback says whether only this machine can reach an address such as
// localhost:8080. An address without a host, such as :8080, all can reach.
func Loopback(addr string) bool { return loopbackHost(addr) }
