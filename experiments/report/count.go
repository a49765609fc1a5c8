package report

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Count shows how many of a known number of pieces of work are done, and which
// is under way: a bar on a terminal, now and then a line in a log. Close ends it.
type Count struct {
	out       io.Writer
	container *mpb.Progress // nil in a log
	bar       *mpb.Bar
	current   atomic.Value // string; the bar is drawn by a goroutine of its own
	start     time.Time
	last      time.Time
}

// NewCount shows on out.
func NewCount(out io.Writer, terminal bool) *Count {
	c := &Count{out: out, start: time.Now()}
	if terminal {
		c.container = mpb.New(mpb.WithOutput(out), mpb.WithWidth(30))
	}
	return c
}

// Show says that done of total pieces are done and what is next.
func (c *Count) Show(done, total int, next string) {
	if c.container == nil {
		c.line(done, total, next)
		return
	}
	c.current.Store(next)
	if c.bar == nil {
		name := func(decor.Statistics) string { return c.current.Load().(string) }
		c.bar = c.container.AddBar(int64(total),
			mpb.PrependDecorators(decor.CountersNoUnit("%d/%d ")),
			mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left  "), decor.Any(name)))
	}
	c.bar.SetCurrent(int64(done))
}

// line writes the first piece, and then one every logEvery, with an estimate of
// what is left.
func (c *Count) line(done, total int, next string) {
	if time.Since(c.last) < logEvery {
		return
	}
	c.last = time.Now()
	left := ""
	if done > 0 {
		each := time.Since(c.start) / time.Duration(done)
		left = fmt.Sprintf(", %v left", (each * time.Duration(total-done)).Round(time.Second))
	}
	fmt.Fprintf(c.out, "%d/%d  %s%s\n", done, total, next, left)
}

// Close takes the bar off the terminal.
func (c *Count) Close() {
	if c.bar != nil {
		c.bar.Abort(true)
	}
	if c.container != nil {
		c.container.Wait()
	}
}
