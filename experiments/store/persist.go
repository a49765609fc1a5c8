package store

import (
	"context"
	"errors"
	"time"
)

// firstPause and longestPause are the pauses between calls of a server that does
// not answer, each twice as long as the one before: short enough that a lost
// connection is not felt, long enough that hundreds of workers do not keep a
// server down that is just being started.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// persist makes a call, each attempt of at most callTime, until it succeeds, or
// fails for a reason that will not pass, or patience is over, or ctx ends.
// again counts the attempts before this one.
func persist(ctx context.Context, patience time.Duration, call func(ctx context.Context, again int) (err error, passes bool)) error {
	over := time.Now().Add(patience)
	for again, pause := 0, firstPause; ; again, pause = again+1, min(2*pause, longestPause) {
		attempt, cancel := context.WithTimeout(ctx, callTime)
		err, passes := call(attempt, again)
		late := attempt.Err() != nil
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case !passes && !late, time.Now().Add(pause).After(over):
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}
