package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Create implements Store.
func (t *tables) Create(ctx context.Context, name, fingerprint string, trials []PlannedTrial) error {
	checkPlan(trials)
	return t.write(ctx, "create", wholeStudy, func(tx *transaction) error {
		held, err := readStudy(tx)
		switch {
		case err != nil:
			return err
		case held == Study{name, fingerprint}:
			return nil
		case held != Study{}:
			return &OtherStudyError{t.where, held.Name, held.Fingerprint, name, fingerprint}
		}
		if _, err := tx.exec(`INSERT INTO study ("only", name, fingerprint) VALUES (1, ?1, ?2)`, name, fingerprint); err != nil {
			return err
		}
		return insertTrials(tx, trials)
	})
}

// checkPlan panics where trials are not in order.
func checkPlan(trials []PlannedTrial) {
	for i, t := range trials {
		if t.Index != i {
			panic(fmt.Sprintf("store: planned trial %d has index %d", i, t.Index))
		}
	}
}

// insertedAtOnce is how many trials one statement inserts: enough that the way
// to a server is not what counts, and few enough for its 65,535 parameters.
const insertedAtOnce = 500

func insertTrials(tx *transaction, trials []PlannedTrial) error {
	for part := range slices.Chunk(trials, insertedAtOnce) {
		var rows strings.Builder
		var args []any
		for i, p := range part {
			values, err := p.columns()
			if err != nil {
				return err
			}
			if i > 0 {
				rows.WriteByte(',')
			}
			n := len(args)
			fmt.Fprintf(&rows, "(?%d, ?%d, ?%d, ?%d, ?%d, ?%d, ?%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7)
			args = append(args, values...)
		}
		if _, err := tx.exec(`INSERT INTO trial (idx, configuration, replicate, seed, params, waits, reason) VALUES `+rows.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// columns are what insertTrials writes of a trial.
func (p PlannedTrial) columns() ([]any, error) {
	if p.Seed > math.MaxInt64 {
		return nil, fmt.Errorf("the seed of trial %d is %d, more than a table can hold", p.Index, p.Seed)
	}
	params, err := textOf(p.Params)
	if err != nil {
		return nil, fmt.Errorf("the parameters of trial %d are no JSON: %w", p.Index, err)
	}
	reason := ""
	if p.Waits {
		reason = "waits for its suggestion"
	}
	return []any{p.Index, p.Configuration, p.Replicate, int64(p.Seed), params, bit(p.Waits), reason}, nil
}

// Extend implements Search.
func (t *tables) Extend(ctx context.Context, from, to string, trials []PlannedTrial) error {
	return t.write(ctx, "extend", wholeStudy, func(tx *transaction) error {
		held, err := readStudy(tx)
		switch {
		case err != nil:
			return err
		case held == Study{}:
			return errors.New("it holds no study yet: sweep one first")
		case held.Fingerprint == to:
			return nil
		case held.Fingerprint != from:
			return &OtherStudyError{t.where, held.Name, held.Fingerprint, held.Name, from}
		}
		var next int
		if _, err := tx.one(`SELECT coalesce(max(idx) + 1, 0) FROM trial`, nil, &next); err != nil {
			return err
		}
		for i, p := range trials {
			if p.Index != next+i {
				return fmt.Errorf("trial %d cannot follow trial %d", p.Index, next+i-1)
			}
		}
		if _, err := tx.exec(`UPDATE study SET fingerprint = ?1`, to); err != nil {
			return err
		}
		return insertTrials(tx, trials)
	})
}

// Study implements Store.
func (t *tables) Study(ctx context.Context) (Study, error) {
	var held Study
	err := t.engine.read(ctx, func(tx *transaction) (err error) {
		held, err = readStudy(tx)
		return err
	})
	return held, t.failed("read", err)
}

func readStudy(tx *transaction) (Study, error) {
	var held Study
	_, err := tx.one(`SELECT name, fingerprint FROM study`, nil, &held.Name, &held.Fingerprint)
	return held, err
}

// Trials implements Store.
func (t *tables) Trials(ctx context.Context) ([]Trial, error) {
	return t.trials(ctx, "params", "result")
}

// States implements Store.
func (t *tables) States(ctx context.Context) ([]Trial, error) { return t.trials(ctx, "NULL", "NULL") }

// trials lists all trials with what two expressions give for their parameters and result.
func (t *tables) trials(ctx context.Context, params, result string) ([]Trial, error) {
	return listed(ctx, t, func(scan func(...any) error) (Trial, error) {
		var one Trial
		var seed, lease int64
		var params, result sql.NullString
		err := scan(&one.Index, &one.Configuration, &one.Replicate, &seed, &params, &one.Waits, &one.State, &one.Reason, &one.Rung, &one.Worker,
			&one.Attempts, &one.Failures, &one.Losses, &lease, &result)
		one.Seed, one.Params, one.Result = uint64(seed), rawOf(params), rawOf(result)
		if one.State == Running {
			one.LeaseUntil = timeOf(lease)
		}
		return one, err
	}, `SELECT idx, configuration, replicate, seed, `+params+`, waits, state, reason, rung, worker, attempts, failures, losses, lease_until, `+result+`
		FROM trial ORDER BY idx`)
}

// Attempts implements Store.
func (t *tables) Attempts(ctx context.Context, trial int) ([]Attempt, error) {
	return listed(ctx, t, func(scan func(...any) error) (Attempt, error) {
		a := Attempt{Trial: trial}
		var started, heard int64
		var result sql.NullString
		err := scan(&a.Attempt, &a.Token, &a.Worker, &a.State, &a.Reason, &started, &heard, &result)
		a.Started, a.Heard, a.Result = timeOf(started), timeOf(heard), rawOf(result)
		return a, err
	}, `SELECT attempt, token, worker, state, reason, started, heard, result FROM attempt WHERE idx = ?1 ORDER BY token`, trial)
}
