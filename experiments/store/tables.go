package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// tables is a Store in an SQL database, but for opening and closing it. Its
// statements are the same for every engine: what differs is in dialect.
//
// Parameters are numbered, ?1, ?2, ..., truth is 0 or 1, and times are
// milliseconds since 1970, 0 for none.
type tables struct {
	where  string // the file or the URL without its password, for messages
	engine engine
	dialect
}

// engine runs transactions in a database.
type engine interface {
	// write runs do in one transaction, and once more from its start where the
	// connection is lost: again counts how often. What do reads stays as it is
	// until the end; see reach.
	write(ctx context.Context, reach reach, do func(tx *transaction) error) error
	// read runs do outside of any transaction, likewise.
	read(ctx context.Context, do func(tx *transaction) error) error
	// remedy is what a person can do about an error, or empty.
	remedy(err error) string
}

// reach is what a transaction may change.
type reach int

const (
	// wholeStudy runs beside no other transaction on the study.
	wholeStudy reach = iota
	// oneTrial changes one trial, found by a condition that its UPDATE states, and
	// what belongs to it. It may run beside others of its kind.
	oneTrial
)

// dialect is the words in which databases differ.
type dialect struct {
	parameter  string // what a numbered parameter begins with
	nextToken  string // an expression for a token greater than any before
	skipLocked string // ends a SELECT of rows to change that need not wait for rows that others change
}

// transaction runs statements in order.
type transaction struct {
	ctx context.Context
	on  interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	parameter string
	again     int // how often it was begun before
}

// words puts a statement into the database's dialect.
func (tx *transaction) words(query string) string {
	if tx.parameter == "?" {
		return query
	}
	return strings.ReplaceAll(query, "?", tx.parameter)
}

// exec returns how many rows were changed.
func (tx *transaction) exec(query string, args ...any) (int64, error) {
	done, err := tx.on.ExecContext(tx.ctx, tx.words(query), args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// one scans the first row of a query, and says whether there was one.
func (tx *transaction) one(query string, args []any, into ...any) (bool, error) {
	found := false
	err := tx.each(func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(into...)
	}, query, args...)
	return found, err
}

// each hands the rows of a query to row, one after the other.
func (tx *transaction) each(row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := tx.on.QueryContext(tx.ctx, tx.words(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs do in a transaction; doing names it in errors.
func (t *tables) write(ctx context.Context, doing string, reach reach, do func(tx *transaction) error) error {
	return t.failed(doing, t.engine.write(ctx, reach, do))
}

// listed collects the rows of a query.
func listed[T any](ctx context.Context, t *tables, row func(scan func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := t.engine.read(ctx, func(tx *transaction) error {
		all = nil
		return tx.each(func(scan func(...any) error) error {
			one, err := row(scan)
			all = append(all, one)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, t.failed("read", err)
	}
	return all, nil
}

// failed puts where and what can be done to an error. Errors that say all
// themselves stay as they are.
func (t *tables) failed(doing string, err error) error {
	var other *OtherStudyError
	var stopped *StoppedError
	if err == nil || errors.Is(err, ErrSuperseded) || errors.As(err, &other) || errors.As(err, &stopped) {
		return err
	}
	if remedy := t.engine.remedy(err); remedy != "" {
		return fmt.Errorf("store %s: %s: %w (%s)", t.where, doing, err, remedy)
	}
	return fmt.Errorf("store %s: %s: %w", t.where, doing, err)
}

// textOf is JSON as a column holds it, to the byte: NULL for none.
func textOf(raw json.RawMessage) (sql.NullString, error) {
	if raw == nil {
		return sql.NullString{}, nil
	}
	if !utf8.Valid(raw) {
		return sql.NullString{}, errors.New("it is not in UTF-8")
	}
	var checked json.RawMessage
	if err := json.Unmarshal(raw, &checked); err != nil {
		return sql.NullString{}, err
	}
	return sql.NullString{String: string(raw), Valid: true}, nil
}

func rawOf(text sql.NullString) json.RawMessage {
	if !text.Valid {
		return nil
	}
	return json.RawMessage(text.String)
}

// plain is text that every database takes: an error's words may quote bytes
// that are no text.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// millis is a time as a column holds it.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
