package store

import (
	"context"
	"encoding/json"
	"time"
)

// Suggestion is the values that an adaptive search gave a configuration, and
// what it knew when it did.
type Suggestion struct {
	Configuration int
	Params        json.RawMessage // a JSON object
	Saw           json.RawMessage // the finished and pending configurations that it was drawn from, JSON
	At            time.Time       // when it was recorded
}

// Report is the figure that a trial reached at a rung, the number of epochs at
// which configurations are judged.
type Report struct {
	Trial, Rung int // rungs count from 0
	Epoch       int
	Value       *float64 // of the study's metric; nil where it is not evaluable
	Worker      string
	At          time.Time
}

// Decision is whether a configuration goes on beyond a rung.
type Decision struct {
	Configuration, Rung int
	Continue            bool
	Reason              string          // in words, with the numbers
	Against             json.RawMessage // the figures that it was judged against, JSON
	At                  time.Time
}

// Search is what an adaptive study keeps beside its trials. A trial that Waits
// cannot be claimed: it waits for its configuration's suggestion, or for the
// decision at the rung that it has reported. Whoever works on a study may
// record what is due; both are functions of what is recorded already, so that
// the first to write is as good as any other.
type Search interface {
	// Suggest records a suggestion and lets the configuration's trials, which must
	// wait for it, be claimed with these Params. Where the configuration has one
	// already, an equal one (Params and Saw, to the byte) changes nothing and
	// another is an error.
	Suggest(ctx context.Context, s Suggestion) error
	// Suggestions lists them by configuration.
	Suggestions(ctx context.Context) ([]Suggestion, error)
	// Report ends a claim at its Rung: the attempt is Paused, and the trial waits
	// with one more rung reported; where that rung was decided on before, as when
	// the trial was requeued, the decision is taken at once. The error is
	// ErrSuperseded where the claim was given up on, and the report is then not kept.
	Report(ctx context.Context, c *Claim, r Report) error
	// Reports lists them by trial and rung.
	Reports(ctx context.Context) ([]Report, error)
	// Decide records a decision. The trials of the configuration that wait at
	// exactly that rung can be claimed, or else are Pruned for the decision's
	// reason. Where there is a decision already, one with an equal Continue
	// changes nothing and another is an error.
	Decide(ctx context.Context, d Decision) error
	// Decisions lists them by configuration and rung.
	Decisions(ctx context.Context) ([]Decision, error)
	// Extend adds trials behind the ones there are, their Index going on from the
	// last, as a new version of the plan with a new fingerprint. from is the
	// fingerprint that the store must hold, or the error is an *OtherStudyError;
	// where it holds to already, nothing changes.
	Extend(ctx context.Context, from, to string, trials []PlannedTrial) error
}
