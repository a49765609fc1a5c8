package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The codes (PostgreSQL manual, appendix A) of refusals that pass by themselves:
// the server is stopping, starting or full, or has ended this transaction for
// the sake of another.
var passing = map[string]bool{
	"57P01": true, // admin_shutdown
	"57P02": true, // crash_shutdown
	"57P03": true, // cannot_connect_now
	"53300": true, // too_many_connections
	"25P03": true, // idle_in_transaction_session_timeout
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
}

// The codes that a person can do something about.
var postgresRemedies = map[string]string{
	"28P01": "the password is wrong or missing: put it in PGPASSWORD or ~/.pgpass",
	"28000": "the server does not let this user in: look at its pg_hba.conf, or name another user in the URL",
	"3D000": "create it with createdb, or name another database in the URL",
	"42501": "the user may not: grant it CREATE on the database",
	"53300": "the server has no connection left: start fewer workers, or raise its max_connections",
	"53100": "the server's disk is full: make room there, then run the same command again",
	"57P01": "the server was stopped: start it, then run the same command again",
	"57P03": "the server is starting or stopping: wait for it, then run the same command again",
	"25006": "it is a standby or read-only server: name the one that writes",
}

// passes says whether an error is that of a server that may answer again soon.
// One that has never answered is more likely named wrongly.
func (s *postgresServer) passes(err error) bool {
	var refused *pgconn.PgError
	var dial *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		return passing[refused.Code] || strings.HasPrefix(refused.Code, "08")
	case errors.As(err, &dial):
		return s.opened
	}
	return errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

// remedy implements engine.
func (s *postgresServer) remedy(err error) string {
	var refused *pgconn.PgError
	var dial *pgconn.ConnectError
	var name *net.DNSError
	switch {
	case errors.As(err, &refused):
		return postgresRemedies[refused.Code]
	case errors.As(err, &name):
		return "there is no such machine: look at the URL"
	case errors.As(err, &dial), errors.Is(err, context.DeadlineExceeded):
		return "no server answers there: look at the URL, at the server and at what lies between"
	}
	return ""
}

// withoutSettings is what is wrong with a URL without the URL, which may hold a
// password.
func withoutSettings(err error) error {
	var config *pgconn.ParseConfigError
	if errors.As(err, &config) && config.Unwrap() != nil {
		return config.Unwrap()
	}
	return errors.New("its settings cannot be read")
}
