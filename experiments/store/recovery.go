package store

import (
	"context"
	"fmt"
	"time"
)

// ReleaseWorker implements Recovery.
func (t *tables) ReleaseWorker(ctx context.Context, worker string) error {
	const reason = "its worker died"
	return t.write(ctx, "release worker", wholeStudy, func(tx *transaction) error {
		_, err := tx.exec(`UPDATE attempt SET state = 'stale', reason = ?1
			WHERE token IN (SELECT token FROM trial WHERE worker = ?2 AND state = 'running')`, reason, worker)
		if err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE trial SET state = 'planned', reason = ?1, lease_until = 0
			WHERE worker = ?2 AND state = 'running'`, reason, worker)
		return err
	})
}

// ExpireLeases implements Recovery.
func (t *tables) ExpireLeases(ctx context.Context, now time.Time) (int, error) {
	expired := 0
	err := t.write(ctx, "expire leases", wholeStudy, func(tx *transaction) error {
		var err error
		expired, err = t.expire(tx, now)
		return err
	})
	return expired, err
}

// expire makes stale, or at last failed, what runs on a lease that ran out by
// now. Where it runs beside others, a trial that one of them changes is left to
// that one; every row is locked before the first is changed, trials before
// attempts as everywhere, so that nobody waits for one that waits for it.
func (t *tables) expire(tx *transaction, now time.Time) (int, error) {
	var tokens []int64
	failed := fmt.Sprintf("lost its worker %d times without a word", MaxLosses)
	err := tx.each(func(scan func(...any) error) error {
		var token int64
		err := scan(&token)
		tokens = append(tokens, token)
		return err
	}, `UPDATE trial SET losses = losses + 1, lease_until = 0,
			state = CASE WHEN losses + 1 >= ?1 THEN 'failed' ELSE 'stale' END,
			reason = CASE WHEN losses + 1 >= ?1 THEN ?2 ELSE 'the lease of worker ' || worker || ' ran out' END
		WHERE idx IN (SELECT idx FROM trial WHERE state = 'running' AND lease_until <= ?3`+t.skipLocked+`)
		RETURNING token`, MaxLosses, failed, now.UnixMilli())
	if err != nil {
		return 0, err
	}
	for _, token := range tokens {
		if _, err := tx.exec(`UPDATE attempt SET state = 'stale', reason = 'its lease ran out' WHERE token = ?1`, token); err != nil {
			return 0, err
		}
	}
	return len(tokens), nil
}

const requeuedReason = "requeued"

// Requeue implements Recovery.
func (t *tables) Requeue(ctx context.Context, trial int) error {
	return t.write(ctx, "requeue", wholeStudy, func(tx *transaction) error {
		var state State
		var reason string
		found, err := tx.one(`SELECT state, reason FROM trial WHERE idx = ?1`, []any{trial}, &state, &reason)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("there is no trial %d", trial)
		case state == Planned && reason == requeuedReason:
			return nil
		case state != Failed && state != Diverged && state != Pruned:
			return fmt.Errorf("trial %d is %s: only a failed, diverged or pruned one can be tried again", trial, state)
		}
		_, err = tx.exec(`UPDATE trial SET state = 'planned', reason = ?1, failures = 0, losses = 0, result = NULL WHERE idx = ?2`, requeuedReason, trial)
		return err
	})
}
