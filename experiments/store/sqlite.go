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
	tables
	file *sqliteFile
}

// busyTime is how long a process waits for the writes of others. Each takes well
// under a millisecond, so that this is a machine that stands still.
const busyTime = 10 * time.Second

// applicationID marks the file as ours: "flow" in ASCII.
const applicationID = 0x666C6F77

// OpenSQLite opens the store in the file at path, or makes an empty one there.
// The folder must exist. A file of older tables is brought to the newest; one
// of newer tables, or that is something else, is an error.
func OpenSQLite(path string) (*SQLite, error) {
	return openSQLite(path, "")
}

// openSQLite opens a file through the named one of SQLite's virtual file
// systems; none is the operating system's.
func openSQLite(path, vfs string) (*SQLite, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	folder := filepath.Dir(absolute)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("store %s: its folder is not there", path)
	}
	turn, err := newTurn(folder)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	file := &sqliteFile{turn: turn, path: dataSource(absolute, vfs)}
	s := &SQLite{tables{path, file, dialect{
		parameter: "?",
		nextToken: "(SELECT coalesce(max(token), 0) + 1 FROM attempt)",
	}}, file}
	if err := s.failed("open", file.open(context.Background())); err != nil {
		file.close()
		return nil, err
	}
	return s, nil
}

// Close frees the store. The file stays.
func (s *SQLite) Close() error { return s.failed("close", s.file.close()) }

// Clock implements Supervision by this machine's clock.
func (s *SQLite) Clock(context.Context) (time.Time, error) { return time.Now(), nil }

// sqliteFile is an open file. One connection a process writes, since SQLite lets
// one write at a time anyhow; it is had in turn and keeps its statements
// prepared, which would otherwise take longer than to run them.
type sqliteFile struct {
	path     string
	turn     *turn
	writes   *sql.DB
	writer   *sql.Conn
	prepared map[string]*sql.Stmt
	reads    *sql.DB
}

// dataSource is the URI of a file. Synchronous is FULL: with NORMAL a power cut
// may take back the last commits of a write-ahead log, and a sweep has by then
// said that the trial is done. A study commits a few times a second, so that
// the price, one fsync each, is not felt.
func dataSource(path, vfs string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	source := fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)", escaped, busyTime.Milliseconds())
	if vfs != "" {
		source += "&vfs=" + vfs
	}
	return source
}

// maxReaders is how many goroutines of a process read at once, each on a
// connection with a cache of its own.
const maxReaders = 4

// open connects, and makes the tables or makes sure that they are ours.
func (f *sqliteFile) open(ctx context.Context) error {
	if err := f.turn.take(ctx, busyTime); err != nil {
		return err
	}
	err := f.connect(ctx)
	f.turn.give()
	if err != nil {
		return err
	}
	f.reads, err = sql.Open("sqlite", f.path+"&_pragma=query_only(ON)")
	if err != nil {
		return err
	}
	f.reads.SetMaxOpenConns(maxReaders)
	f.reads.SetMaxIdleConns(maxReaders)
	return f.write(ctx, wholeStudy, func(tx *transaction) error { return f.prepare(tx) })
}

func (f *sqliteFile) connect(ctx context.Context) (err error) {
	f.prepared = map[string]*sql.Stmt{}
	f.writes, err = sql.Open("sqlite", f.path+"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)")
	if err == nil {
		f.writer, err = f.writes.Conn(ctx)
	}
	return err
}

// prepare makes the tables, or brings them to the newest version.
func (f *sqliteFile) prepare(tx *transaction) error {
	var id, version, objects int
	_, err := tx.one(`SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`,
		nil, &id, &version, &objects)
	switch {
	case err != nil:
		return err
	case id == applicationID && version == len(versions):
		return nil
	case id != applicationID && (objects > 0 || id != 0):
		return errors.New("is a database of something else: choose another output folder")
	}
	run := func(step string) error {
		_, err := f.writer.ExecContext(tx.ctx, step)
		return err
	}
	if err := migrate(version, run); err != nil {
		return err
	}
	return run(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, len(versions)))
}

// close closes what is open.
func (f *sqliteFile) close() error {
	var errs []error
	if f.reads != nil {
		errs = append(errs, f.reads.Close())
	}
	if f.writer != nil {
		for _, statement := range f.prepared {
			errs = append(errs, statement.Close())
		}
		errs = append(errs, f.writer.Close())
	}
	if f.writes != nil {
		errs = append(errs, f.writes.Close())
	}
	return errors.Join(append(errs, f.turn.close())...)
}

// write implements engine: whatever its reach, a transaction has the file to
// itself from its start, so that what it reads is what it changes.
func (f *sqliteFile) write(ctx context.Context, _ reach, do func(*transaction) error) error {
	if err := f.turn.take(ctx, busyTime); err != nil {
		return err
	}
	defer f.turn.give()
	err := f.run(ctx, "BEGIN IMMEDIATE")
	if err == nil {
		err = do(&transaction{ctx: ctx, on: (*sqliteWriter)(f), parameter: "?"})
	}
	// From here on nothing stops it half-way.
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		err = f.run(ctx, "COMMIT")
	}
	if err != nil {
		// Also after BEGIN: where ctx ends meanwhile, the driver says so of a
		// statement that was carried out. An error where there is nothing to take
		// back, or SQLite has done so itself.
		f.run(ctx, "ROLLBACK")
	}
	return err
}

func (f *sqliteFile) run(ctx context.Context, statement string) error {
	_, err := (*sqliteWriter)(f).ExecContext(ctx, statement)
	return err
}

// read implements engine.
func (f *sqliteFile) read(ctx context.Context, do func(*transaction) error) error {
	return do(&transaction{ctx: ctx, on: f.reads, parameter: "?"})
}

// sqliteWriter runs prepared statements, which whoever has the turn may.
type sqliteWriter sqliteFile

func (w *sqliteWriter) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if known := w.prepared[query]; known != nil {
		return known, nil
	}
	statement, err := w.writer.PrepareContext(ctx, query)
	if err == nil {
		w.prepared[query] = statement
	}
	return statement, err
}

func (w *sqliteWriter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	statement, err := w.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, args...)
}

func (w *sqliteWriter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := w.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

const codeBusy = 5

// The primary result codes of SQLite (https://www.sqlite.org/rescode.html) that
// a person can do something about.
var remedies = map[int]string{
	codeBusy: errTurn.Error(),
	8:        "it or its folder cannot be written: change the permissions, or choose another output folder",
	10:       "the disk does not answer: look at it, then run the same command again",
	11:       "the file is damaged: restore it, or begin again in another output folder",
	13:       "the disk is full: make room, then run the same command again",
	14:       "it cannot be opened: look at the permissions of it and of its folder",
	26:       "the file is no database: choose another output folder",
}

// remedy implements engine.
func (f *sqliteFile) remedy(err error) string {
	var known *sqlite.Error
	if errors.As(err, &known) {
		return remedies[known.Code()&0xFF]
	}
	return ""
}
