package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ReleaseWorker implements Recovery.
func (s *SQLite) ReleaseWorker(ctx context.Context, worker string) error {
	const reason = "its worker died"
	return s.write(ctx, "release worker", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = 'stale', reason = ?
			WHERE token IN (SELECT token FROM trial WHERE worker = ? AND state = 'running')`, reason, worker)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE trial SET state = 'planned', reason = ?, lease_until = 0
			WHERE worker = ? AND state = 'running'`, reason, worker)
		return err
	})
}

// ExpireLeases implements Recovery.
func (s *SQLite) ExpireLeases(ctx context.Context, now time.Time) (int, error) {
	expired := 0
	err := s.write(ctx, "expire leases", func(tx *sql.Tx) error {
		var err error
		expired, err = expire(ctx, tx, now)
		return err
	})
	return expired, err
}

// expire makes stale, or at last failed, what runs on a lease that ran out by now.
func expire(ctx context.Context, tx *sql.Tx, now time.Time) (int, error) {
	_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = 'stale', reason = 'its lease ran out'
		WHERE token IN (SELECT token FROM trial WHERE state = 'running' AND lease_until <= ?)`, now.UnixMilli())
	if err != nil {
		return 0, err
	}
	changed, err := tx.ExecContext(ctx, `UPDATE trial SET losses = losses + 1, lease_until = 0,
			state = CASE WHEN losses + 1 >= ?1 THEN 'failed' ELSE 'stale' END,
			reason = CASE WHEN losses + 1 >= ?1 THEN 'lost its worker ' || ?1 || ' times without a word' ELSE 'the lease of worker ' || worker || ' ran out' END
		WHERE state = 'running' AND lease_until <= ?2`, MaxLosses, now.UnixMilli())
	if err != nil {
		return 0, err
	}
	n, err := changed.RowsAffected()
	return int(n), err
}

// Requeue implements Recovery.
func (s *SQLite) Requeue(ctx context.Context, trial int) error {
	return s.write(ctx, "requeue", func(tx *sql.Tx) error {
		var state State
		err := tx.QueryRowContext(ctx, `SELECT state FROM trial WHERE idx = ?`, trial).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("there is no trial %d", trial)
		}
		if err != nil {
			return err
		}
		if state != Failed && state != Diverged && state != Pruned {
			return fmt.Errorf("trial %d is %s: only a failed, diverged or pruned one can be tried again", trial, state)
		}
		_, err = tx.ExecContext(ctx, `UPDATE trial SET state = 'planned', reason = 'requeued', failures = 0, losses = 0, result = NULL WHERE idx = ?`, trial)
		return err
	})
}
