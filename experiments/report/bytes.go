package report

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// logEvery is how much time passes between two lines of progress in a log.
const logEvery = 10 * time.Second

// Bytes shows how far a long read is: a bar on a terminal, now and then a line
// in a log. Close ends it.
type Bytes struct {
	out       io.Writer
	what      string
	container *mpb.Progress // nil in a log
	bar       *mpb.Bar
	last      time.Time
}

// NewBytes shows on out what is being done, such as "reading".
func NewBytes(out io.Writer, terminal bool, what string) *Bytes {
	b := &Bytes{out: out, what: what, last: time.Now()}
	if terminal {
		b.container = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))
	}
	return b
}

// Show moves to done of total bytes; total is 0 where it is not known.
func (b *Bytes) Show(done, total int64) {
	if b.container == nil {
		b.line(done, total)
		return
	}
	if b.bar == nil {
		b.bar = b.container.AddBar(total,
			mpb.PrependDecorators(decor.Name(b.what+" "), decor.CountersKibiByte("% .0f / % .0f")),
			mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .0f"), decor.Name(", "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")))
	}
	b.bar.SetCurrent(done)
}

func (b *Bytes) line(done, total int64) {
	if time.Since(b.last) < logEvery {
		return
	}
	b.last = time.Now()
	of := ""
	if total > 0 {
		of = fmt.Sprintf(" of %d", total>>20)
	}
	fmt.Fprintf(b.out, "%s: %d%s MiB\n", b.what, done>>20, of)
}

// Close takes the bar off the terminal.
func (b *Bytes) Close() {
	if b.bar != nil {
		b.bar.Abort(true)
	}
	if b.container != nil {
		b.container.Wait()
	}
}
