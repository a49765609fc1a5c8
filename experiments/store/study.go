package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Create implements Store.
func (s *SQLite) Create(ctx context.Context, name, fingerprint string, trials []PlannedTrial) error {
	return s.write(ctx, "create", func(tx *sql.Tx) error {
		held, err := readStudy(ctx, tx)
		switch {
		case err != nil:
			return err
		case held == Study{name, fingerprint}:
			return nil
		case held != Study{}:
			return &OtherStudyError{s.path, held.Name, held.Fingerprint, name, fingerprint}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO study (only, name, fingerprint) VALUES (1, ?, ?)`, name, fingerprint); err != nil {
			return err
		}
		return insertTrials(ctx, tx, trials)
	})
}

func insertTrials(ctx context.Context, tx *sql.Tx, trials []PlannedTrial) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO trial (idx, configuration, replicate, seed, params) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i, t := range trials {
		if t.Index != i {
			panic(fmt.Sprintf("store: planned trial %d has index %d", i, t.Index))
		}
		if t.Seed > math.MaxInt64 {
			return fmt.Errorf("the seed of trial %d is %d, more than a table can hold", i, t.Seed)
		}
		params, err := textOf(t.Params)
		if err != nil {
			return fmt.Errorf("the parameters of trial %d are no JSON: %w", i, err)
		}
		if _, err := insert.ExecContext(ctx, t.Index, t.Configuration, t.Replicate, int64(t.Seed), params); err != nil {
			return err
		}
	}
	return nil
}

// textOf is JSON as a column holds it: NULL for none.
func textOf(raw json.RawMessage) (sql.NullString, error) {
	if raw == nil {
		return sql.NullString{}, nil
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

// Study implements Store.
func (s *SQLite) Study(ctx context.Context) (Study, error) {
	held, err := readStudy(ctx, s.db)
	return held, s.failed("read", err)
}

func readStudy(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (Study, error) {
	var held Study
	err := from.QueryRowContext(ctx, `SELECT name, fingerprint FROM study`).Scan(&held.Name, &held.Fingerprint)
	if errors.Is(err, sql.ErrNoRows) {
		return Study{}, nil
	}
	return held, err
}

// Trials implements Store.
func (s *SQLite) Trials(ctx context.Context) ([]Trial, error) {
	var all []Trial
	err := s.each(ctx, func(scan func(...any) error) error {
		var t Trial
		var seed, lease int64
		var params, result sql.NullString
		err := scan(&t.Index, &t.Configuration, &t.Replicate, &seed, &params, &t.State, &t.Reason, &t.Worker,
			&t.Attempts, &t.Failures, &t.Losses, &lease, &result)
		t.Seed, t.Params, t.Result = uint64(seed), rawOf(params), rawOf(result)
		if t.State == Running {
			t.LeaseUntil = time.UnixMilli(lease)
		}
		all = append(all, t)
		return err
	}, `SELECT idx, configuration, replicate, seed, params, state, reason, worker, attempts, failures, losses, lease_until, result
		FROM trial ORDER BY idx`)
	return all, err
}

// Attempts implements Store.
func (s *SQLite) Attempts(ctx context.Context, trial int) ([]Attempt, error) {
	var all []Attempt
	err := s.each(ctx, func(scan func(...any) error) error {
		a := Attempt{Trial: trial}
		var started, heard int64
		var result sql.NullString
		err := scan(&a.Attempt, &a.Token, &a.Worker, &a.State, &a.Reason, &started, &heard, &result)
		a.Started, a.Heard, a.Result = time.UnixMilli(started), time.UnixMilli(heard), rawOf(result)
		all = append(all, a)
		return err
	}, `SELECT attempt, token, worker, state, reason, started, heard, result FROM attempt WHERE idx = ? ORDER BY token`, trial)
	return all, err
}

// each hands the rows of a query to row, one after the other.
func (s *SQLite) each(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return s.failed("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return s.failed("read", err)
		}
	}
	return s.failed("read", rows.Err())
}
