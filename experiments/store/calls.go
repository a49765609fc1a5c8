package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// call answers a call's JSON from a store. again says that it was made before.
type call func(ctx context.Context, s Store, body []byte, again bool) (any, error)

// calls are all that a server answers, by the names in their paths.
var calls = map[string]call{
	"create": asked(func(ctx context.Context, s Store, in wireCreate) error {
		return s.Create(ctx, in.Name, in.Fingerprint, each(in.Trials, wirePlanned.unwire))
	}),
	"extend": asked(func(ctx context.Context, s Store, in wireExtend) error {
		return s.Extend(ctx, in.From, in.To, each(in.Trials, wirePlanned.unwire))
	}),
	"study":   told(func(ctx context.Context, s Store, _ nothing) (Study, error) { return s.Study(ctx) }),
	"clock":   told(func(ctx context.Context, s Store, _ nothing) (time.Time, error) { return s.Clock(ctx) }),
	"control": told(func(ctx context.Context, s Store, _ nothing) (Control, error) { return s.Control(ctx) }),
	"workers": told(func(ctx context.Context, s Store, _ nothing) ([]Worker, error) { return s.Workers(ctx) }),
	"reports": told(func(ctx context.Context, s Store, _ nothing) ([]Report, error) { return s.Reports(ctx) }),
	"trials": told(func(ctx context.Context, s Store, _ nothing) ([]wireTrial, error) {
		all, err := s.Trials(ctx)
		return each(all, wireOf), err
	}),
	"states": told(func(ctx context.Context, s Store, _ nothing) ([]wireTrial, error) {
		all, err := s.States(ctx)
		return each(all, wireOf), err
	}),
	"attempts": told(func(ctx context.Context, s Store, trial int) ([]wireAttempt, error) {
		all, err := s.Attempts(ctx, trial)
		return each(all, wireTry), err
	}),
	"suggestions": told(func(ctx context.Context, s Store, _ nothing) ([]wireSuggestion, error) {
		all, err := s.Suggestions(ctx)
		return each(all, wireSuggested), err
	}),
	"decisions": told(func(ctx context.Context, s Store, _ nothing) ([]wireDecision, error) {
		all, err := s.Decisions(ctx)
		return each(all, wireDecided), err
	}),
	"claim": claimed,
	"heartbeat": asked(func(ctx context.Context, s Store, in wireHeartbeat) error {
		return s.Heartbeat(ctx, &in.Claim, in.Now)
	}),
	"finish": asked(func(ctx context.Context, s Store, in wireFinish) error {
		return s.Finish(ctx, &in.Claim, in.End.unwire(), in.Now)
	}),
	"report": asked(func(ctx context.Context, s Store, in wireReport) error {
		return s.Report(ctx, &in.Claim, in.Report)
	}),
	"release":        asked(func(ctx context.Context, s Store, c Claim) error { return s.Release(ctx, &c) }),
	"release-worker": asked(func(ctx context.Context, s Store, worker string) error { return s.ReleaseWorker(ctx, worker) }),
	"expire-leases":  told(func(ctx context.Context, s Store, now time.Time) (int, error) { return s.ExpireLeases(ctx, now) }),
	"requeue":        asked(func(ctx context.Context, s Store, trial int) error { return s.Requeue(ctx, trial) }),
	"suggest": asked(func(ctx context.Context, s Store, in wireSuggestion) error {
		return s.Suggest(ctx, in.unwire())
	}),
	"decide": asked(func(ctx context.Context, s Store, in wireDecision) error {
		return s.Decide(ctx, in.unwire())
	}),
	"set-control": asked(func(ctx context.Context, s Store, c Control) error { return s.SetControl(ctx, c) }),
	"save-worker": asked(func(ctx context.Context, s Store, w Worker) error { return s.SaveWorker(ctx, w) }),
}

// told is a call that is answered by a value.
func told[In, Out any](do func(context.Context, Store, In) (Out, error)) call {
	return func(ctx context.Context, s Store, body []byte, _ bool) (any, error) {
		var in In
		if err := strict(body, &in); err != nil {
			return nil, err
		}
		return do(ctx, s, in)
	}
}

// asked is a call that is answered by its success.
func asked[In any](do func(context.Context, Store, In) error) call {
	return told(func(ctx context.Context, s Store, in In) (nothing, error) { return nothing{}, do(ctx, s, in) })
}

// claimer is a store that knows a claim again by the call that made it, so that
// a worker whose answer was lost gets the claim that it has.
type claimer interface {
	claimOnce(ctx context.Context, r claimRequest) (*Claim, error)
}

func claimed(ctx context.Context, s Store, body []byte, again bool) (any, error) {
	var in claimRequest
	if err := strict(body, &in); err != nil {
		return nil, err
	}
	in.Again = again
	if s, ok := s.(claimer); ok {
		return s.claimOnce(ctx, in)
	}
	return s.Claim(ctx, in.Worker, in.Lease, in.Now)
}

// strict decodes JSON of which every part is known.
func strict(body []byte, into any) error {
	decode := json.NewDecoder(bytes.NewReader(body))
	decode.DisallowUnknownFields()
	if err := decode.Decode(into); err != nil {
		return fmt.Errorf("what was said is not understood: %w: run the same flowbench on both machines", err)
	}
	if _, err := decode.Token(); err != io.EOF {
		return fmt.Errorf("more was said than one call")
	}
	return nil
}
