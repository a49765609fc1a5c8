// Package report shows a sweep while it runs: a live table of bars on a
// terminal, plain lines in a log.
package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"flowbench/experiments/store"
	"flowbench/experiments/study"
)

// Lines writes a line whenever a trial begins or ends, and now and then while the
// fit of a detector takes long. It is for logs, where
// bars would leave rubbish. Show and Write may be called at once.
type Lines struct {
	mu     sync.Mutex // around out
	out    io.Writer
	now    func() time.Time
	start  time.Time
	before int // trials that had ended before this sweep began
	states map[int]store.State
	told   map[int]time.Time // when a trial's long fit was last told of
}

// fitNews is how often a log tells of a fit that takes long.
const fitNews = 10 * time.Second

// NewLines writes to out; now is the clock.
func NewLines(out io.Writer, now func() time.Time) *Lines {
	return &Lines{out: out, now: now, start: now(), before: -1, states: map[int]store.State{}, told: map[int]time.Time{}}
}

// Show compares p with what was shown last and writes what is new.
func (l *Lines) Show(p study.Progress) {
	ended := p.Ended()
	if l.before < 0 {
		l.before = ended
		if ended > 0 {
			l.printf("%d of %d trials had ended before; %d are left\n", ended, len(p.Trials), len(p.Trials)-ended)
		}
		for _, t := range p.Trials {
			if t.State.Ended() {
				l.states[t.Index] = t.State
			}
		}
	}
	for _, t := range p.Trials {
		if t.State == l.states[t.Index] {
			l.fit(t, ended, len(p.Trials))
			continue
		}
		l.states[t.Index] = t.State
		switch {
		case t.State.Ended():
			l.printf("%s  %d/%d  %s  %s%s%s\n", l.elapsed(), ended, len(p.Trials), t.Name, t.State, because(t.Reason), l.left(ended, len(p.Trials)))
		case t.State == store.Running:
			l.printf("%s  %d/%d  %s  begins\n", l.elapsed(), ended, len(p.Trials), t.Name)
		}
	}
}

// fit tells of a long fit.
func (l *Lines) fit(t study.TrialProgress, ended, all int) {
	now := l.now()
	if t.Fit == nil || t.State != store.Running || now.Sub(l.told[t.Index]) < fitNews {
		return
	}
	l.told[t.Index] = now
	l.printf("%s  %d/%d  %s  %v\n", l.elapsed(), ended, all, t.Name, *t.Fit)
}

// Write writes what others have to say between the lines.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *Lines) printf(format string, args ...any) { fmt.Fprintf(l, format, args...) }

// Close ends the report; there is nothing to tidy up.
func (l *Lines) Close() {}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (l *Lines) elapsed() string {
	return fmt.Sprintf("%7s", l.now().Sub(l.start).Round(100*time.Millisecond))
}

// left is the time that remains if trials go on taking what they took so far.
func (l *Lines) left(ended, all int) string {
	mine := ended - l.before
	if mine <= 0 || ended == all {
		return ""
	}
	rest := l.now().Sub(l.start) / time.Duration(mine) * time.Duration(all-ended)
	return fmt.Sprintf(", about %s left", rest.Round(time.Second))
}
