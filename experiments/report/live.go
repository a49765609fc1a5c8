package report

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"flowbench/experiments/store"
	"flowbench/experiments/study"
)

// Live draws a bar for the sweep and one for every trial that runs.
type Live struct {
	container *mpb.Progress
	total     *mpb.Bar
	running   map[int]*runningBar
}

type runningBar struct {
	bar  *mpb.Bar
	last atomic.Pointer[string] // what stands behind the bar; drawn by another goroutine
}

// NewLive draws on out, which is a terminal.
func NewLive(out io.Writer) *Live {
	return &Live{
		container: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40)),
		running:   map[int]*runningBar{},
	}
}

// Show moves the bars to p.
func (l *Live) Show(p study.Progress) {
	if l.total == nil {
		l.total = l.container.AddBar(int64(len(p.Trials)), mpb.BarPriority(1<<30),
			mpb.PrependDecorators(decor.Name("trials "), decor.CountersNoUnit("%d/%d")),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO), decor.Name(", "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")))
	}
	l.total.SetCurrent(int64(p.Ended()))
	for _, t := range p.Trials {
		l.trial(t)
	}
}

// Write shows p above the bars. It may be called while Show is; after Close it
// is an error.
func (l *Live) Write(p []byte) (int, error) { return l.container.Write(p) }

func (l *Live) trial(t study.TrialProgress) {
	r := l.running[t.Index]
	if t.State != store.Running {
		if r != nil {
			r.bar.Abort(true)
			delete(l.running, t.Index)
		}
		return
	}
	if r == nil {
		r = &runningBar{}
		r.last.Store(new(string))
		count := decor.CountersNoUnit("epoch %d/%d")
		if t.MaxEpochs == 0 {
			count = decor.Name("fit")
		}
		r.bar = l.container.AddBar(int64(t.MaxEpochs), mpb.BarPriority(t.Index), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(t.Name+" "), count),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *r.last.Load() })))
		l.running[t.Index] = r
	}
	if t.Last != nil {
		last := figures(t.Last.Values)
		r.last.Store(&last)
		r.bar.SetCurrent(int64(t.Epochs))
	}
	if t.Fit != nil {
		last := t.Fit.String()
		r.last.Store(&last)
		r.bar.SetTotal(int64(t.Fit.Total), false)
		r.bar.SetCurrent(int64(min(t.Fit.Done, t.Fit.Total-1)))
	}
}

func figures(values map[string]float64) string {
	text := fmt.Sprintf("train loss %.4g", values["train.loss"])
	if ap, ok := values["validation.average_precision"]; ok {
		text += fmt.Sprintf(", validation AP %.3f", ap)
	}
	return text
}

// Close takes the bars off the terminal.
func (l *Live) Close() {
	for _, r := range l.running {
		r.bar.Abort(true)
	}
	if l.total != nil {
		l.total.Abort(true)
	}
	l.container.Wait()
}
