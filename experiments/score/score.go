// Package score gives flows the verdicts of a finished model: rows of any number
// stream through in memory that does not grow, and come out in their order.
//
// One goroutine reads, several scale, score, explain and format a batch each, and
// one writes what is next in order. What is written is the same for any number of
// threads.
package score

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"flowbench/kernels"
	"flowbench/train"
	"flowbench/train/metric"
)

// Explain says which rows get the columns that weighed most.
type Explain string

// What Options.Explain may be. An explanation takes far longer than a score.
const (
	Alerts Explain = "alerts"
	All    Explain = "all"
	None   Explain = "none"
)

// Options say how to score.
type Options struct {
	// Threshold makes a row an alert whose score is at or above it.
	Threshold float64
	Explain   Explain
	// Workers is how many batches are in work at once; 0 is GOMAXPROCS.
	Workers int
	// Progress, where set, sees the bytes read so far.
	Progress func(done int64)
}

// Run scores all rows of in with model and writes them to out, in their order. On
// a backend of one thread a machine the workers do not disturb each other. The
// first error ends it; out is the caller's to close or to throw away. Where ctx
// ends an input that has no end by itself, that is none.
func Run(ctx context.Context, model *train.Finished, backend kernels.Backend, in Input, out Writer, opt Options) (*Summary, error) {
	columns, err := model.Model.Scaler.Locate(in.columns())
	if err != nil {
		return nil, fmt.Errorf("%w: the flows are not what the model was trained on", err)
	}
	workers := opt.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	var stop context.Context
	if _, endless := in.(*Follow); endless {
		stop, ctx = ctx, context.WithoutCancel(ctx) // what was read is still scored
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pipeline{
		ctx: runCtx, stop: stop, cancel: cancel, labels: in.labels(), progress: opt.Progress,
		free: make(chan *batch, workers*batchesPerWorker), jobs: make(chan *batch, workers*batchesPerWorker), order: make(chan *batch, workers*batchesPerWorker),
	}
	for range cap(p.free) {
		p.free <- &batch{done: make(chan struct{}, 1)}
	}
	var all []*worker
	defer func() {
		for _, w := range all {
			w.scorer.Close()
		}
	}()
	for range workers {
		scorer, err := model.Scorer(backend)
		if err != nil {
			return nil, err
		}
		w := &worker{
			scorer: scorer, scaler: model.Model.Scaler, columns: columns, width: len(in.columns()), labels: len(in.labels()),
			opt: opt, format: out.format(),
		}
		if w.format != nil {
			w.cells = w.format.newCells(names{model.Model.Scaler.Columns, in.labels()})
		}
		all = append(all, w)
	}
	if all[0].scorer.Method() == "" {
		opt.Explain = None
	}
	for _, w := range all {
		w.opt.Explain = opt.Explain
	}
	return p.run(all, in, out, newSummary(model, opt, all[0].scorer.Method(), in.labels()))
}

// batchesPerWorker lets workers go on while a slow batch is waited for.
const batchesPerWorker = 3

// pipeline is the state of one call of Run.
type pipeline struct {
	ctx      context.Context
	stop     context.Context // ends an input that has no end by itself; else nil
	cancel   context.CancelCauseFunc
	labels   []string
	progress func(int64)
	free     chan *batch
	jobs     chan *batch // to the workers
	order    chan *batch // to the writer, in the order of the input
}

// run reads on a goroutine of its own, works on others, and writes on the caller's.
func (p *pipeline) run(all []*worker, in Input, out Writer, summary *Summary) (*Summary, error) {
	var running sync.WaitGroup
	for _, w := range all {
		running.Go(func() {
			for b := range p.jobs {
				b.err = w.work(p.ctx, b)
				b.done <- struct{}{}
			}
		})
	}
	ended := make(chan error, 1)
	go func() {
		ctx := p.ctx
		if p.stop != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(p.stop)
			defer cancel()
			defer context.AfterFunc(p.ctx, cancel)() // after a failure
		}
		err := in.each(ctx, p.emit)
		close(p.jobs)
		close(p.order)
		ended <- err
	}()
	failed := p.write(out, summary)
	err := <-ended
	running.Wait()
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	summary.finish()
	summary.Input = in.account()
	return summary, nil
}

// errStopped ends reading after a failure elsewhere.
var errStopped = errors.New("score: stopped")

// emit hands rows to the workers.
func (p *pipeline) emit(rows Rows) error {
	var b *batch
	select {
	case b = <-p.free:
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
	b.take(rows)
	p.order <- b
	p.jobs <- b
	return nil
}

// write writes what is next in order until the input has ended, or until the first
// failure, after which it takes batches back unwritten.
func (p *pipeline) write(out Writer, summary *Summary) (failed error) {
	for b := range p.order {
		<-b.done
		if failed == nil {
			failed = b.err
		}
		if failed == nil {
			failed = out.write(b)
		}
		if failed != nil {
			p.cancel(errStopped)
		} else {
			summary.add(b)
			if p.progress != nil {
				p.progress(b.rows.Read)
			}
		}
		p.free <- b
	}
	return failed
}

// alert is a row's verdict.
func (o Options) alert(score float64) bool { return metric.Alert(score, o.Threshold) }
