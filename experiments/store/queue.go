package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Claim implements Queue.
func (t *tables) Claim(ctx context.Context, worker string, lease time.Duration, now time.Time) (*Claim, error) {
	return t.claimOnce(ctx, claimRequest{ID: rand.Text(), Worker: worker, Lease: lease, Now: now})
}

// claimRequest is a call of Claim that may be made again.
type claimRequest struct {
	ID     string // of the call
	Again  bool   // whether it was made before, perhaps unheard
	Worker string
	Lease  time.Duration
	Now    time.Time
}

// claimOnce is Claim for a call that, made again, must not claim again.
func (t *tables) claimOnce(ctx context.Context, r claimRequest) (*Claim, error) {
	var claim *Claim
	err := t.write(ctx, "claim", oneTrial, func(tx *transaction) error {
		claim = nil
		if r.Again || tx.again > 0 {
			known, err := claimedBy(tx, r)
			if known != nil || err != nil {
				claim = known
				return err
			}
		}
		if err := t.open(tx, r.Now); err != nil {
			return err
		}
		var err error
		claim, err = t.claimNext(tx, r)
		return err // nil commits what has expired, too
	})
	if err != nil {
		return nil, err
	}
	return claim, nil
}

// claimedBy is the claim that a request has made before, or nil.
func claimedBy(tx *transaction, r claimRequest) (*Claim, error) {
	c := &Claim{Worker: r.Worker, Lease: r.Lease}
	found, err := tx.one(`SELECT attempt.idx, attempt.attempt, trial.rung, attempt.token
		FROM attempt JOIN trial ON trial.idx = attempt.idx
		WHERE attempt.request = ?1 AND attempt.worker = ?2 AND trial.token = attempt.token AND trial.state = 'running'`,
		[]any{r.ID, r.Worker}, &c.Trial, &c.Attempt, &c.Rung, &c.Token)
	if !found {
		return nil, err
	}
	return c, err
}

// open makes the trials claimable whose lease ran out by now. It is a
// *StoppedError where none may be claimed.
func (t *tables) open(tx *transaction, now time.Time) error {
	var c Control
	var at int64
	var late int
	_, err := tx.one(`SELECT coalesce(max(stopped), 0), coalesce(max(kind), ''), coalesce(max(reason), ''), coalesce(max(at), 0),
			(SELECT count(*) FROM trial WHERE state = 'running' AND lease_until <= ?1)
		FROM control`, []any{now.UnixMilli()}, &c.Stopped, &c.Kind, &c.Reason, &at, &late)
	if err != nil {
		return err
	}
	if c.Stopped {
		c.At = timeOf(at)
		return &StoppedError{c}
	}
	if late > 0 {
		_, err = t.expire(tx, now)
	}
	return err
}

// claimNext claims the first trial that can be, or returns nil.
func (t *tables) claimNext(tx *transaction, r claimRequest) (*Claim, error) {
	c := &Claim{Worker: r.Worker, Lease: r.Lease}
	found, err := tx.one(`UPDATE trial
		SET state = 'running', reason = '', worker = ?1, lease_until = ?2, attempts = attempts + 1, token = `+t.nextToken+`
		WHERE idx = (SELECT idx FROM trial WHERE state IN ('planned', 'stale') AND waits = 0 ORDER BY idx LIMIT 1`+t.skipLocked+`)
		RETURNING idx, attempts, rung, token`,
		[]any{r.Worker, r.Now.Add(r.Lease).UnixMilli()}, &c.Trial, &c.Attempt, &c.Rung, &c.Token)
	if err != nil || !found {
		return nil, err
	}
	_, err = tx.exec(`INSERT INTO attempt (token, idx, attempt, worker, state, started, heard, request) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?5, ?6)`,
		c.Token, c.Trial, c.Attempt, r.Worker, r.Now.UnixMilli(), r.ID)
	return c, err
}

// held changes the trial of c where the claim is its newest and it is running,
// and says ErrSuperseded where that is not so. The claim's parameters are ?1 and ?2.
func held(tx *transaction, c *Claim, set string, args ...any) error {
	n, err := tx.exec(`UPDATE trial SET `+set+` WHERE idx = ?1 AND token = ?2 AND state = 'running'`,
		append([]any{c.Trial, c.Token}, args...)...)
	if err == nil && n == 0 {
		return fmt.Errorf("trial %d, attempt %d: %w", c.Trial, c.Attempt, ErrSuperseded)
	}
	return err
}

// Heartbeat implements Queue.
func (t *tables) Heartbeat(ctx context.Context, c *Claim, now time.Time) error {
	return t.write(ctx, "heartbeat", oneTrial, func(tx *transaction) error {
		if err := held(tx, c, `lease_until = ?3`, now.Add(c.Lease).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE attempt SET heard = ?1 WHERE token = ?2`, now.UnixMilli(), c.Token)
		return err
	})
}

// Finish implements Queue.
func (t *tables) Finish(ctx context.Context, c *Claim, end End, now time.Time) error {
	end.check()
	text, err := textOf(end.Result)
	if err != nil {
		return t.failed("finish", fmt.Errorf("the result of trial %d is no JSON: %w", c.Trial, err))
	}
	var late error
	err = t.write(ctx, "finish", oneTrial, func(tx *transaction) error {
		late = nil
		err := finishTrial(tx, c, end, text)
		if errors.Is(err, ErrSuperseded) {
			late, err = supersede(tx, c, end.State, fmt.Sprintf("ended as %s after it was given up on: %s", end.State, plain(end.Reason)), text, now)
			return err // nil commits the superseded result
		}
		if err != nil {
			return err
		}
		return endAttempt(tx, c.Token, end.State, plain(end.Reason), text, now)
	})
	return errors.Join(err, late)
}

// check panics where a trial cannot end so.
func (e End) check() {
	if !e.State.Ended() {
		panic("store: a trial cannot finish as " + string(e.State))
	}
	if e.Retries < 0 {
		panic(fmt.Sprintf("store: %d retries", e.Retries))
	}
}

// finishTrial puts a trial into its end state, or back into the plan where it
// may fail again.
func finishTrial(tx *transaction, c *Claim, end End, result sql.NullString) error {
	reason := plain(end.Reason)
	if end.State != Failed {
		return held(tx, c, `state = ?3, reason = ?4, result = ?5, lease_until = 0`, string(end.State), reason, result)
	}
	var failures int
	if _, err := tx.one(`SELECT failures FROM trial WHERE idx = ?1`, []any{c.Trial}, &failures); err != nil {
		return err
	}
	failures++
	next := Failed
	if failures <= end.Retries {
		next = Planned
	}
	if end.Retries == 0 {
		reason = "attempt failed, and is not repeated: " + reason
	} else {
		reason = fmt.Sprintf("attempt failed %d of %d times: %s", failures, max(failures, end.Retries+1), reason)
	}
	return held(tx, c, `state = ?3, reason = ?4, failures = ?5, result = ?6, lease_until = 0`, string(next), reason, failures, result)
}

func endAttempt(tx *transaction, token int64, end State, reason string, result sql.NullString, heard time.Time) error {
	_, err := tx.exec(`UPDATE attempt SET state = ?1, reason = ?2, result = ?3, heard = ?4 WHERE token = ?5`,
		string(end), reason, result, heard.UnixMilli(), token)
	return err
}

// supersede keeps with its attempt what came after that was given up on, and
// says so in late. An attempt that has ended as end before is no late one: its
// worker has not heard that it was heard.
func supersede(tx *transaction, c *Claim, end State, reason string, result sql.NullString, now time.Time) (late, err error) {
	state, _, err := attemptOf(tx, c)
	if err != nil || state == end {
		return nil, err
	}
	late = fmt.Errorf("trial %d, attempt %d: %w", c.Trial, c.Attempt, ErrSuperseded)
	if state == Stale {
		err = endAttempt(tx, c.Token, Superseded, reason, result, now)
	}
	return late, err
}

// attemptOf is what became of a claim.
func attemptOf(tx *transaction, c *Claim) (state State, reason string, err error) {
	found, err := tx.one(`SELECT state, reason FROM attempt WHERE token = ?1 AND idx = ?2`, []any{c.Token, c.Trial}, &state, &reason)
	if err == nil && !found {
		err = fmt.Errorf("trial %d was never claimed with token %d", c.Trial, c.Token)
	}
	return state, reason, err
}

const releasedReason = "released by its worker"

// Release implements Queue.
func (t *tables) Release(ctx context.Context, c *Claim) error {
	return t.write(ctx, "release", oneTrial, func(tx *transaction) error {
		err := held(tx, c, `state = 'planned', reason = ?3, lease_until = 0`, releasedReason)
		if errors.Is(err, ErrSuperseded) {
			if state, reason, known := attemptOf(tx, c); known == nil && state == Stale && reason == releasedReason {
				return nil // repeated
			}
		}
		if err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE attempt SET state = 'stale', reason = ?1 WHERE token = ?2`, releasedReason, c.Token)
		return err
	})
}
