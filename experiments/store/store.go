// Package store keeps what becomes of a study's trials, where any number of
// workers can claim them: one interface, and behind it SQLite for one machine,
// PostgreSQL for several, and a server that lends either of them to machines
// that have neither. [Open] knows them by URL.
//
// A trial is claimed with a lease, which heartbeats extend, and a fencing token,
// a number that grows with every claim of the study. Whoever comes back with a
// token that is not the trial's newest has been given up on: its result is kept
// as superseded, and never counted. Time is passed in, to the millisecond:
// workers of one machine pass its clock, those of several the store's own.
//
// Whatever writes may be repeated, as is done where a connection is lost and
// nobody knows whether the last call was heard: the repetition changes nothing.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// State is what became of a trial, or of one attempt at it.
type State string

const (
	Planned    State = "planned"    // waits for a worker
	Running    State = "running"    // claimed, and its lease has not been seen to run out
	Stale      State = "stale"      // lost: the lease ran out, or it was released; a stale trial waits for a worker
	Done       State = "done"       // trained to its end
	Pruned     State = "pruned"     // ended early on purpose
	Diverged   State = "diverged"   // met a NaN or an infinity
	Failed     State = "failed"     // could not be trained
	Superseded State = "superseded" // of an attempt: its result came after it was given up on
	Paused     State = "paused"     // of an attempt: it reported a rung, and its trial waits for the decision
)

// Ended reports whether a trial in this state has nothing more to wait for.
func (s State) Ended() bool {
	switch s {
	case Done, Pruned, Diverged, Failed:
		return true
	}
	return false
}

// MaxLosses is how often the lease of a trial may run out before the trial has
// failed: it is then more likely that it kills its workers than that each of
// them was killed by chance. Releases are not counted.
const MaxLosses = 10

// ErrSuperseded says that a claim is no longer the newest of its trial.
var ErrSuperseded = errors.New("this claim was given up on: its lease ran out or it was released")

// OtherStudyError says that a store belongs to another study.
type OtherStudyError struct {
	Path                          string
	Name, Fingerprint             string // what the store holds
	WantedName, WantedFingerprint string // what it was opened for
}

func (e *OtherStudyError) Error() string {
	another := "another output folder"
	if strings.Contains(e.Path, "://") {
		another += " and another store"
	}
	if e.Name == e.WantedName {
		return fmt.Sprintf("%s holds study %s as its spec was before (plan %.12s, now %.12s): choose %s for the new spec, or go back to the old one",
			e.Path, e.Name, e.Fingerprint, e.WantedFingerprint, another)
	}
	return fmt.Sprintf("%s holds study %s (plan %.12s), not %s (plan %.12s): choose %s",
		e.Path, e.Name, e.Fingerprint, e.WantedName, e.WantedFingerprint, another)
}

// PlannedTrial is one line of a study's plan. The store keeps everything but
// Index for whoever reads the table.
type PlannedTrial struct {
	Index         int // 0, 1, 2, ... in the order of claims
	Configuration int
	Replicate     int
	Seed          uint64
	Params        json.RawMessage // a JSON object, or nil
	// Waits is set while the trial may not be claimed: until its configuration is
	// suggested or, once it has reported a rung, until that is decided on.
	Waits bool
}

// Study names what a store holds.
type Study struct {
	Name, Fingerprint string
}

// Claim is a worker's hold on a trial.
type Claim struct {
	Trial   int // its Index
	Attempt int // from 1, lost attempts counted
	Rung    int // how many rungs the trial has reported, so that it is the next to report
	Token   int64
	Worker  string
	Lease   time.Duration
}

// End is how an attempt ended.
type End struct {
	State  State           // Done, Pruned, Diverged or Failed
	Reason string          // in words
	Result json.RawMessage // JSON or nil
	// Retries is how many failures of a trial are followed by another attempt,
	// where this one is a failure. 0 is for one that the next attempt would only
	// repeat, such as that the trial does not fit the device's memory.
	Retries int
}

// Trial is a planned trial and what became of it.
type Trial struct {
	PlannedTrial
	State  State
	Reason string // why it is in this state, in words; may be empty while it waits or runs
	Rung   int    // how many rungs it has reported
	Worker string // the last to claim it
	// Attempts counts claims; Failures and Losses those of them that failed or
	// whose lease ran out since the trial was planned or requeued.
	Attempts, Failures, Losses int
	LeaseUntil                 time.Time       // while it is running
	Result                     json.RawMessage // what Finish was given
}

// Attempt is one claim and what became of it.
type Attempt struct {
	Trial, Attempt int
	Token          int64
	Worker         string
	State          State
	Reason         string
	Started, Heard time.Time // when it was claimed and last heard of
	Result         json.RawMessage
}

// Queue is what a worker needs.
type Queue interface {
	// Claim gives the trial with the lowest index among those that are Planned or
	// Stale, and do not wait, to a worker until now + lease, after it has expired
	// the leases that ran out by now. It returns nil where there is none, which is
	// not to say that none runs or waits, and a *StoppedError while the study is
	// stopped.
	Claim(ctx context.Context, worker string, lease time.Duration, now time.Time) (*Claim, error)
	// Heartbeat extends a claim's lease to now + lease. ErrSuperseded tells the
	// worker to stop.
	Heartbeat(ctx context.Context, c *Claim, now time.Time) error
	// Finish ends an attempt. A trial that failed no more often than end.Retries
	// can be claimed again. The error is ErrSuperseded where the claim was given
	// up on, and the result is then kept with the attempt alone.
	Finish(ctx context.Context, c *Claim, end End, now time.Time) error
	// Release puts a claim's trial back in the plan, as a worker does that is told
	// to stop. The rungs that it has reported stay.
	Release(ctx context.Context, c *Claim) error
}

// Recovery is what a sweep needs to put right what dead workers left.
type Recovery interface {
	// ReleaseWorker releases every claim of a worker that is known to be dead.
	ReleaseWorker(ctx context.Context, worker string) error
	// ExpireLeases makes trials Stale whose lease ran out by now, or Failed the
	// MaxLosses-th time, and returns how many there were.
	ExpireLeases(ctx context.Context, now time.Time) (int, error)
	// Requeue lets a trial that is Failed, Diverged or Pruned be claimed again,
	// with its failures and losses forgotten and the rungs that it has reported
	// kept. Any other trial is an error, unless it was requeued and not claimed since.
	Requeue(ctx context.Context, trial int) error
}

// Store keeps one study. Its methods may be called by any number of goroutines
// and processes at once. Close frees it.
type Store interface {
	// Create makes the store hold a study with these trials, all of them Planned
	// with Index 0, 1, 2, .... If it holds the study already, nothing changes; if
	// it holds another one, the error is an *OtherStudyError.
	Create(ctx context.Context, name, fingerprint string, trials []PlannedTrial) error
	// Study is what the store holds; both names are empty before Create.
	Study(ctx context.Context) (Study, error)
	// Trials lists all trials by index.
	Trials(ctx context.Context) ([]Trial, error)
	// States is Trials without Params and Result, for who looks often at how far a
	// large study has come.
	States(ctx context.Context) ([]Trial, error)
	// Attempts lists the attempts at a trial, oldest first.
	Attempts(ctx context.Context, trial int) ([]Attempt, error)
	Queue
	Recovery
	Search
	Supervision
	Close() error
}
