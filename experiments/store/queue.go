package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// claimNext takes the waiting trial with the lowest index, in one statement.
const claimNext = `
UPDATE trial
SET state = 'running', reason = '', worker = ?, lease_until = ?, attempts = attempts + 1,
	token = (SELECT coalesce(max(token), 0) + 1 FROM attempt)
WHERE idx = (SELECT min(idx) FROM trial WHERE state IN ('planned', 'stale'))
RETURNING idx, attempts, token`

// Claim implements Queue.
func (s *SQLite) Claim(ctx context.Context, worker string, lease time.Duration, now time.Time) (*Claim, error) {
	claim := &Claim{Worker: worker, Lease: lease}
	err := s.write(ctx, "claim", func(tx *sql.Tx) error {
		if _, err := expire(ctx, tx, now); err != nil {
			return err
		}
		row := tx.QueryRowContext(ctx, claimNext, worker, now.Add(lease).UnixMilli())
		err := row.Scan(&claim.Trial, &claim.Attempt, &claim.Token)
		if errors.Is(err, sql.ErrNoRows) {
			claim = nil // and what has expired is committed
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO attempt (token, idx, attempt, worker, state, started, heard) VALUES (?, ?, ?, ?, 'running', ?, ?)`,
			claim.Token, claim.Trial, claim.Attempt, worker, now.UnixMilli(), now.UnixMilli())
		return err
	})
	if err != nil {
		return nil, err
	}
	return claim, nil
}

// held updates the trial of c where the claim is its newest and it is running,
// and says ErrSuperseded where that is not so.
func held(ctx context.Context, tx *sql.Tx, c *Claim, set string, args ...any) error {
	changed, err := tx.ExecContext(ctx, `UPDATE trial SET `+set+` WHERE idx = ? AND token = ? AND state = 'running'`, append(args, c.Trial, c.Token)...)
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); n == 0 || err != nil {
		return errors.Join(err, ErrSuperseded)
	}
	return nil
}

// Heartbeat implements Queue.
func (s *SQLite) Heartbeat(ctx context.Context, c *Claim, now time.Time) error {
	return s.write(ctx, "heartbeat", func(tx *sql.Tx) error {
		if err := held(ctx, tx, c, `lease_until = ?`, now.Add(c.Lease).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE attempt SET heard = ? WHERE token = ?`, now.UnixMilli(), c.Token)
		return err
	})
}

// Finish implements Queue.
func (s *SQLite) Finish(ctx context.Context, c *Claim, end State, reason string, result json.RawMessage, now time.Time) error {
	if !end.Ended() {
		panic("store: a trial cannot finish as " + string(end))
	}
	text, err := textOf(result)
	if err != nil {
		return s.failed("finish", fmt.Errorf("the result of trial %d is no JSON: %w", c.Trial, err))
	}
	superseded := false
	err = s.write(ctx, "finish", func(tx *sql.Tx) error {
		err := s.finishTrial(ctx, tx, c, end, reason, text)
		if errors.Is(err, ErrSuperseded) {
			superseded, err = supersede(ctx, tx, c, end, reason, text, now)
			return err // nil commits the superseded result
		}
		if err != nil {
			return err
		}
		return endAttempt(ctx, tx, c.Token, end, reason, text, now)
	})
	if err == nil && superseded {
		return fmt.Errorf("trial %d, attempt %d: %w", c.Trial, c.Attempt, ErrSuperseded)
	}
	return err
}

// finishTrial puts a trial into its end state, or back into the plan where it
// may fail again.
func (s *SQLite) finishTrial(ctx context.Context, tx *sql.Tx, c *Claim, end State, reason string, result sql.NullString) error {
	if end != Failed {
		return held(ctx, tx, c, `state = ?, reason = ?, result = ?, lease_until = 0`, string(end), reason, result)
	}
	var failures int
	err := tx.QueryRowContext(ctx, `SELECT failures + 1 FROM trial WHERE idx = ?`, c.Trial).Scan(&failures)
	if err != nil {
		return err
	}
	next := Planned
	if failures >= MaxFailures {
		next = Failed
	}
	reason = fmt.Sprintf("attempt failed %d of %d times: %s", failures, MaxFailures, reason)
	return held(ctx, tx, c, `state = ?, reason = ?, failures = ?, result = ?, lease_until = 0`, string(next), reason, failures, result)
}

func endAttempt(ctx context.Context, tx *sql.Tx, token int64, end State, reason string, result sql.NullString, heard time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = ?, reason = ?, result = ?, heard = ? WHERE token = ?`,
		string(end), reason, result, heard.UnixMilli(), token)
	return err
}

// supersede keeps a result that came too late with its attempt, and reports
// that it did so. An attempt that has ended this very way before is no late
// one: its worker has not heard that it was heard.
func supersede(ctx context.Context, tx *sql.Tx, c *Claim, end State, reason string, result sql.NullString, now time.Time) (bool, error) {
	var state State
	err := tx.QueryRowContext(ctx, `SELECT state FROM attempt WHERE token = ? AND idx = ?`, c.Token, c.Trial).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, fmt.Errorf("trial %d was never claimed with token %d", c.Trial, c.Token)
	case err != nil:
		return false, err
	case state == end:
		return false, nil
	case state != Stale:
		return true, nil
	}
	return true, endAttempt(ctx, tx, c.Token, Superseded, fmt.Sprintf("ended as %s after it was given up on: %s", end, reason), result, now)
}

// Release implements Queue.
func (s *SQLite) Release(ctx context.Context, c *Claim) error {
	return s.write(ctx, "release", func(tx *sql.Tx) error {
		if err := held(ctx, tx, c, `state = 'planned', reason = 'released by its worker', lease_until = 0`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = 'stale', reason = 'released by its worker' WHERE token = ?`, c.Token)
		return err
	})
}
