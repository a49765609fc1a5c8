package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// Suggest implements Search.
func (t *tables) Suggest(ctx context.Context, s Suggestion) error {
	params, err := textOf(s.Params)
	saw, sawErr := textOf(s.Saw)
	if err = errors.Join(err, sawErr); err != nil || s.Params == nil {
		return t.failed("suggest", fmt.Errorf("the suggestion for configuration %d is no JSON: %w", s.Configuration, err))
	}
	return t.write(ctx, "suggest", wholeStudy, func(tx *transaction) error {
		var knownParams, knownSaw sql.NullString
		known, err := tx.one(`SELECT params, saw FROM suggestion WHERE configuration = ?1`, []any{s.Configuration}, &knownParams, &knownSaw)
		switch {
		case err != nil:
			return err
		case known && knownParams == params && knownSaw == saw:
			return nil
		case known:
			return fmt.Errorf("configuration %d has the suggestion %s already, not %s: was this flowbench, or its spec, changed since the study began?",
				s.Configuration, knownParams.String, params.String)
		}
		_, err = tx.exec(`INSERT INTO suggestion (configuration, params, saw, at) VALUES (?1, ?2, ?3, ?4)`, s.Configuration, params, saw, millis(s.At))
		if err != nil {
			return err
		}
		n, err := tx.exec(`UPDATE trial SET params = ?1, waits = 0, reason = ''
			WHERE configuration = ?2 AND waits = 1 AND rung = 0 AND state = 'planned'`, params, s.Configuration)
		if err == nil && n == 0 {
			err = fmt.Errorf("configuration %d has no trial that waits for a suggestion", s.Configuration)
		}
		return err
	})
}

// Suggestions implements Search.
func (t *tables) Suggestions(ctx context.Context) ([]Suggestion, error) {
	return listed(ctx, t, func(scan func(...any) error) (Suggestion, error) {
		var s Suggestion
		var params, saw sql.NullString
		var at int64
		err := scan(&s.Configuration, &params, &saw, &at)
		s.Params, s.Saw, s.At = rawOf(params), rawOf(saw), timeOf(at)
		return s, err
	}, `SELECT configuration, params, saw, at FROM suggestion ORDER BY configuration`)
}

// Report implements Search.
func (t *tables) Report(ctx context.Context, c *Claim, r Report) error {
	if err := r.check(c); err != nil {
		return t.failed("report", err)
	}
	var late error
	return errors.Join(t.write(ctx, "report", oneTrial, func(tx *transaction) error {
		late = nil
		err := held(tx, c, `state = 'planned', waits = 1, rung = rung + 1, lease_until = 0, reason = ?3`,
			fmt.Sprintf("reported rung %d, waits for the decision", r.Rung))
		if errors.Is(err, ErrSuperseded) {
			late, err = supersede(tx, c, Paused, fmt.Sprintf("reported rung %d after it was given up on", r.Rung), sql.NullString{}, r.At)
			return err
		}
		if err != nil {
			return err
		}
		return keepReport(tx, c, r)
	}), late)
}

// check is an error where a report is none that c can make.
func (r Report) check(c *Claim) error {
	switch {
	case r.Trial != c.Trial:
		panic(fmt.Sprintf("store: a claim of trial %d reports trial %d", c.Trial, r.Trial))
	case r.Rung != c.Rung:
		return fmt.Errorf("trial %d reports rung %d: its next is %d", c.Trial, r.Rung, c.Rung)
	case r.Value != nil && (math.IsNaN(*r.Value) || math.IsInf(*r.Value, 0)):
		return fmt.Errorf("trial %d reports %v at rung %d: a value that is not evaluable is left out", c.Trial, *r.Value, r.Rung)
	}
	return nil
}

// keepReport writes a report down, and takes the decision on its rung where
// there is one.
func keepReport(tx *transaction, c *Claim, r Report) error {
	var value sql.NullFloat64
	if r.Value != nil {
		value = sql.NullFloat64{Float64: *r.Value, Valid: true}
	}
	_, err := tx.exec(`INSERT INTO report (trial, rung, epoch, value, worker, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		r.Trial, r.Rung, r.Epoch, value, r.Worker, millis(r.At))
	if err != nil {
		return err
	}
	if err := endAttempt(tx, c.Token, Paused, fmt.Sprintf("reported rung %d", r.Rung), sql.NullString{}, r.At); err != nil {
		return err
	}
	var d Decision
	known, err := tx.one(`SELECT decision.configuration, decision.rung, goes_on, decision.reason
		FROM decision JOIN trial ON trial.configuration = decision.configuration
		WHERE trial.idx = ?1 AND decision.rung = ?2`, []any{r.Trial, r.Rung}, &d.Configuration, &d.Rung, &d.Continue, &d.Reason)
	if err != nil || !known {
		return err
	}
	return follow(tx, d, `idx = ?3`, r.Trial)
}

// follow lets those trials that meet a condition, and wait at exactly a
// decision's rung, go on or end as it says. The condition's parameter is ?3.
func follow(tx *transaction, d Decision, which string, arg any) error {
	state, reason := Planned, ""
	if !d.Continue {
		state, reason = Pruned, plain(d.Reason)
	}
	_, err := tx.exec(`UPDATE trial SET state = ?1, reason = ?2, waits = 0
		WHERE `+which+` AND rung = ?4 AND waits = 1 AND state = 'planned'`, string(state), reason, arg, d.Rung+1)
	return err
}

// Reports implements Search.
func (t *tables) Reports(ctx context.Context) ([]Report, error) {
	return listed(ctx, t, func(scan func(...any) error) (Report, error) {
		var r Report
		var value sql.NullFloat64
		var at int64
		err := scan(&r.Trial, &r.Rung, &r.Epoch, &value, &r.Worker, &at)
		if value.Valid {
			r.Value = &value.Float64
		}
		r.At = timeOf(at)
		return r, err
	}, `SELECT trial, rung, epoch, value, worker, at FROM report ORDER BY trial, rung`)
}

// Decide implements Search.
func (t *tables) Decide(ctx context.Context, d Decision) error {
	against, err := textOf(d.Against)
	if err != nil {
		return t.failed("decide", fmt.Errorf("what configuration %d was judged against is no JSON: %w", d.Configuration, err))
	}
	return t.write(ctx, "decide", wholeStudy, func(tx *transaction) error {
		var goesOn bool
		known, err := tx.one(`SELECT goes_on FROM decision WHERE configuration = ?1 AND rung = ?2`, []any{d.Configuration, d.Rung}, &goesOn)
		switch {
		case err != nil:
			return err
		case known && goesOn == d.Continue:
			return nil
		case known:
			return fmt.Errorf("configuration %d was decided on at rung %d already, the other way: was this flowbench, or its spec, changed since the study began?",
				d.Configuration, d.Rung)
		}
		_, err = tx.exec(`INSERT INTO decision (configuration, rung, goes_on, reason, against, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
			d.Configuration, d.Rung, bit(d.Continue), plain(d.Reason), against, millis(d.At))
		if err != nil {
			return err
		}
		return follow(tx, d, `configuration = ?3`, d.Configuration)
	})
}

// Decisions implements Search.
func (t *tables) Decisions(ctx context.Context) ([]Decision, error) {
	return listed(ctx, t, func(scan func(...any) error) (Decision, error) {
		var d Decision
		var against sql.NullString
		var at int64
		err := scan(&d.Configuration, &d.Rung, &d.Continue, &d.Reason, &against, &at)
		d.Against, d.At = rawOf(against), timeOf(at)
		return d, err
	}, `SELECT configuration, rung, goes_on, reason, against, at FROM decision ORDER BY configuration, rung`)
}
