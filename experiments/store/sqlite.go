package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// SQLite is a Store in one file, for workers on one machine: its write-ahead log
// needs shared memory, which network file systems do not have.
type SQLite struct {
	path string
	db   *sql.DB
}

// busyMilliseconds is how long a statement waits for another process's write.
// Writes here take well under a millisecond each, so that this is a machine
// that stands still.
const busyMilliseconds = 10_000

// applicationID marks the file as ours: "flow" in ASCII.
const applicationID = 0x666C6F77

// schemaVersion is the version of the tables.
const schemaVersion = 1

// tables: an attempt's token is the fencing token, so that the greatest one ever
// given is the table's last row.
const tables = `
CREATE TABLE study (
	only        INTEGER PRIMARY KEY CHECK (only = 1),
	name        TEXT NOT NULL,
	fingerprint TEXT NOT NULL
) STRICT;
CREATE TABLE trial (
	idx           INTEGER PRIMARY KEY,
	configuration INTEGER NOT NULL,
	replicate     INTEGER NOT NULL,
	seed          INTEGER NOT NULL,
	params        TEXT,
	state         TEXT NOT NULL DEFAULT 'planned'
		CHECK (state IN ('planned', 'running', 'stale', 'done', 'pruned', 'diverged', 'failed')),
	reason        TEXT NOT NULL DEFAULT '',
	worker        TEXT NOT NULL DEFAULT '',
	token         INTEGER NOT NULL DEFAULT 0,
	lease_until   INTEGER NOT NULL DEFAULT 0, -- milliseconds since 1970
	attempts      INTEGER NOT NULL DEFAULT 0,
	failures      INTEGER NOT NULL DEFAULT 0,
	losses        INTEGER NOT NULL DEFAULT 0,
	result        TEXT
) STRICT;
CREATE INDEX trial_by_state ON trial (state, idx);
CREATE TABLE attempt (
	token   INTEGER PRIMARY KEY,
	idx     INTEGER NOT NULL REFERENCES trial (idx),
	attempt INTEGER NOT NULL,
	worker  TEXT NOT NULL,
	state   TEXT NOT NULL
		CHECK (state IN ('running', 'stale', 'done', 'pruned', 'diverged', 'failed', 'superseded')),
	reason  TEXT NOT NULL DEFAULT '',
	started INTEGER NOT NULL, -- milliseconds since 1970
	heard   INTEGER NOT NULL,
	result  TEXT
) STRICT;
CREATE INDEX attempt_by_trial ON attempt (idx, token);
`

// OpenSQLite opens the store in the file at path, or makes an empty one there.
// The folder must exist. A file that is something else is an error.
func OpenSQLite(path string) (*SQLite, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	if info, err := os.Stat(filepath.Dir(absolute)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("store %s: its folder is not there", path)
	}
	db, err := sql.Open("sqlite", dataSource(absolute))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	// One connection a process: SQLite lets one write at a time anyhow, and here
	// they queue without sleeping.
	db.SetMaxOpenConns(1)
	s := &SQLite{path: path, db: db}
	if err := s.prepareInTurn(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// prepareInTurn repeats prepare while the file is busy. The switch of a new file
// to a write-ahead log is the one step that SQLite does not wait for: of
// processes that open it at the same moment, all but one are refused.
func (s *SQLite) prepareInTurn() error {
	const pause = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		err := s.prepare(context.Background())
		var known *sqlite.Error
		if !errors.As(err, &known) || known.Code()&0xFF != codeBusy || waited > busyMilliseconds*time.Millisecond {
			return err
		}
		time.Sleep(pause)
	}
}

// dataSource is the URI of a file. Synchronous is FULL: with NORMAL a power cut
// may take back the last commits of a write-ahead log, and a sweep has by then
// said that the trial is done. A study commits a few times a second, so that
// the price, one fsync each, is not felt.
func dataSource(path string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	return fmt.Sprintf("file:%s?_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)",
		escaped, busyMilliseconds)
}

// prepare makes the tables, or makes sure that they are ours.
func (s *SQLite) prepare(ctx context.Context) error {
	return s.write(ctx, "open", func(tx *sql.Tx) error {
		var id, version, objects int
		row := tx.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`)
		if err := row.Scan(&id, &version, &objects); err != nil {
			return err
		}
		switch {
		case id == applicationID && version == schemaVersion:
			return nil
		case id == applicationID:
			return fmt.Errorf("was written in version %d of its tables, this flowbench reads version %d: use the flowbench that wrote it, or another output folder", version, schemaVersion)
		case objects > 0 || id != 0:
			return errors.New("is a database of something else: choose another output folder")
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", tables, applicationID, schemaVersion))
		return err
	})
}

// Close frees the store. The file stays.
func (s *SQLite) Close() error { return s.failed("close", s.db.Close()) }

// write runs do in one transaction that holds the write lock from its start, so
// that what it reads is what it changes.
func (s *SQLite) write(ctx context.Context, doing string, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.failed(doing, err)
	}
	defer tx.Rollback() // nothing, once it is committed
	if err := do(tx); err != nil {
		return s.failed(doing, err)
	}
	return s.failed(doing, tx.Commit())
}

const codeBusy = 5

// The primary result codes of SQLite (https://www.sqlite.org/rescode.html) that
// a person can do something about.
var remedies = map[int]string{
	codeBusy: "another process has held it for long: look for one that hangs",
	8:        "it or its folder cannot be written: change the permissions, or choose another output folder",
	10:       "the disk does not answer: look at it, then run the same command again",
	11:       "the file is damaged: restore it, or begin again in another output folder",
	13:       "the disk is full: make room, then run the same command again",
	14:       "it cannot be opened: look at the permissions of it and of its folder",
	26:       "the file is no database: choose another output folder",
}

// failed puts path and remedy to an error; ErrSuperseded and an
// *OtherStudyError, which say all themselves, stay as they are.
func (s *SQLite) failed(doing string, err error) error {
	var other *OtherStudyError
	if err == nil || errors.Is(err, ErrSuperseded) || errors.As(err, &other) {
		return err
	}
	var known *sqlite.Error
	if errors.As(err, &known) {
		if remedy, ok := remedies[known.Code()&0xFF]; ok {
			return fmt.Errorf("store %s: %s: %w (%s)", s.path, doing, err, remedy)
		}
	}
	return fmt.Errorf("store %s: %s: %w", s.path, doing, err)
}
