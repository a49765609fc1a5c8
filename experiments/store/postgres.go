package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Postgres is a Store in a schema of a PostgreSQL database, for workers on
// several machines. A call whose connection is lost is made again on another
// for half a minute, in which a server can be started again.
type Postgres struct {
	tables
	server *postgresServer
}

const (
	// patience is how long calls are repeated while the server does not answer.
	// A claim's default lease lives as long.
	patience = 30 * time.Second
	// callTime is how long one attempt may take, which is milliseconds where the
	// server lives: TCP alone would notice a machine that is gone in a quarter of
	// an hour.
	callTime = 10 * time.Second
	// maxConnections is how many a process holds, where a server allows 100 in all
	// (PostgreSQL's max_connections) and a worker has a trial's call, a heartbeat
	// and a look at the table at once.
	maxConnections = 4
)

// OpenPostgres opens the store of a study, or makes an empty one, in the database
// at a URL as libpq knows it (PostgreSQL manual, 34.1.1.2), with the parameter
// study for the name of the study. Tables of an older version are brought to the
// newest; newer ones are an error.
func OpenPostgres(at string) (*Postgres, error) {
	u, err := parse(at)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	schema := schemaOf(query.Get(studyParameter))
	query.Del(studyParameter)
	u.RawQuery = query.Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", Redacted(at), withoutSettings(err))
	}
	server := newPostgresServer(config, schema)
	p := &Postgres{tables{Redacted(at), server, dialect{
		parameter:  "$",
		nextToken:  "nextval('token')",
		skipLocked: " FOR UPDATE SKIP LOCKED",
	}}, server}
	if err := p.failed("open", server.open(context.Background())); err != nil {
		server.db.Close()
		return nil, err
	}
	return p, nil
}

// Close frees the store's connections. The schema stays.
func (p *Postgres) Close() error { return p.failed("close", p.server.db.Close()) }

// Clock implements Supervision by the server's clock.
func (p *Postgres) Clock(ctx context.Context) (time.Time, error) {
	var now int64
	err := p.server.read(ctx, func(tx *transaction) error {
		_, err := tx.one(`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`, nil, &now)
		return err
	})
	return timeOf(now), p.failed("read", err)
}

// maxName is how many bytes PostgreSQL keeps of a name (its manual, 4.1.1).
const maxName = 63

// schemaOf names the schema of a study. A name that PostgreSQL would cut short,
// so that two studies might share one, ends in its hash.
func schemaOf(study string) string {
	if study == "" {
		return "flowbench"
	}
	name := "flowbench_" + study
	if len(name) <= maxName {
		return name
	}
	hash := fmt.Sprintf("_%.6x", sha256.Sum256([]byte(study)))
	cut := maxName - len(hash)
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + hash
}

// postgresServer is a schema of a database, and the connections to it.
type postgresServer struct {
	db       *sql.DB
	schema   string
	quoted   string // the schema as a statement names it
	lock     int64  // the advisory lock of the study
	patience time.Duration
	opened   bool // from then on a server that does not answer has been seen to
}

func newPostgresServer(config *pgx.ConnConfig, schema string) *postgresServer {
	s := &postgresServer{schema: schema, quoted: pgx.Identifier{schema}.Sanitize(), patience: patience}
	key := fnv.New64a()
	key.Write([]byte("flowbench\x00" + schema))
	s.lock = int64(key.Sum64())
	settings := config.RuntimeParams
	settings["search_path"] = s.quoted
	settings["default_transaction_isolation"] = "read committed"
	// A worker that is stopped, or whose machine is gone, in the middle of a
	// transaction holds up the others no longer than this.
	settings["idle_in_transaction_session_timeout"] = fmt.Sprint(callTime.Milliseconds() / 2)
	if settings["application_name"] == "" {
		settings["application_name"] = "flowbench"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = callTime
	}
	s.db = stdlib.OpenDB(*config)
	s.db.SetMaxOpenConns(maxConnections)
	s.db.SetMaxIdleConns(maxConnections)
	return s
}

// open makes the schema and its tables, or makes sure that they are ours.
func (s *postgresServer) open(ctx context.Context) error {
	err := s.write(ctx, wholeStudy, s.prepare)
	s.opened = true
	return err
}

// prepare makes the schema and its tables, or brings them to the newest version.
func (s *postgresServer) prepare(tx *transaction) error {
	var schemas, objects, ours, version int
	_, err := tx.one(`SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = ?1), count(*), coalesce(sum(CASE WHEN tablename = 'flowbench' THEN 1 ELSE 0 END), 0)
		FROM pg_tables WHERE schemaname = ?1`, []any{s.schema}, &schemas, &objects, &ours)
	if err != nil {
		return err
	}
	if objects > 0 && ours == 0 {
		return fmt.Errorf("its schema %s is of something else: choose another study's name", s.quoted)
	}
	if schemas == 0 {
		if _, err := tx.exec(`CREATE SCHEMA ` + s.quoted); err != nil {
			return err
		}
	}
	if ours > 0 {
		if _, err := tx.one(`SELECT version FROM flowbench`, nil, &version); err != nil {
			return err
		}
	} else if _, err := tx.exec(`CREATE TABLE flowbench (version BIGINT NOT NULL); INSERT INTO flowbench VALUES (0); CREATE SEQUENCE token`); err != nil {
		return err
	}
	if version == len(versions) {
		return nil
	}
	err = migrate(version, func(step string) error {
		_, err := tx.exec(postgresTypes.Replace(step))
		return err
	})
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE flowbench SET version = ?1`, len(versions))
	return err
}

// write implements engine. Transactions of one trial share the study's lock,
// and find out about each other by the trial's row; others have it alone. So
// that a lost connection frees it, it is the transaction's.
func (s *postgresServer) write(ctx context.Context, reach reach, do func(*transaction) error) error {
	lock := "pg_advisory_xact_lock"
	if reach == oneTrial {
		lock = "pg_advisory_xact_lock_shared"
	}
	begin := fmt.Sprintf("BEGIN; SELECT %s(%d)", lock, s.lock)
	return s.persist(ctx, func(ctx context.Context, conn *sql.Conn, again int) error {
		if _, err := conn.ExecContext(ctx, begin); err != nil {
			s.rollback(ctx, conn)
			return err
		}
		if err := do(&transaction{ctx: ctx, on: conn, parameter: "$", again: again}); err != nil {
			s.rollback(ctx, conn)
			return err
		}
		// From here on nothing stops it half-way.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
		defer cancel()
		_, err := conn.ExecContext(last, "COMMIT")
		return err
	})
}

// rollback ends a transaction, or else its connection.
func (s *postgresServer) rollback(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// read implements engine.
func (s *postgresServer) read(ctx context.Context, do func(*transaction) error) error {
	return s.persist(ctx, func(ctx context.Context, conn *sql.Conn, again int) error {
		return do(&transaction{ctx: ctx, on: conn, parameter: "$", again: again})
	})
}

// persist makes a call on a connection, and again on another where that was lost.
func (s *postgresServer) persist(ctx context.Context, do func(ctx context.Context, conn *sql.Conn, again int) error) error {
	return persist(ctx, s.patience, func(ctx context.Context, again int) (error, bool) {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return err, s.passes(err)
		}
		defer conn.Close()
		err = do(ctx, conn, again)
		return err, err != nil && (closed(conn) || s.passes(err))
	})
}

// closed says whether a connection was lost.
func closed(conn *sql.Conn) bool {
	lost := false
	err := conn.Raw(func(raw any) error {
		lost = raw.(*stdlib.Conn).Conn().IsClosed()
		return nil
	})
	return lost || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}
