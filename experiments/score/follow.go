package score

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flowbench/data/flowcsv"
)

// followEvery is how often a file is looked at that had nothing new.
const followEvery = 200 * time.Millisecond

// Follow reads a CSV file that another program writes: what is there, and then
// what comes, until ctx ends, which is no error. A last line without its end
// waits. A file that is replaced (rotated) is read to its end, and the new one
// from its header on; one that was cut short is read again from its header on.
type Follow struct {
	path   string
	need   []string
	opt    flowcsv.Options
	notice func(string)
	every  time.Duration
	tail   *flowcsv.Tail
	file   *os.File
	offset int64
	next   int64 // number of the next row
	sum    Account
}

// NewFollow follows the file at path, which is there, for a model of the given
// columns. notice is told of rotations and of text that is left out.
func NewFollow(path string, need []string, opt flowcsv.Options, notice func(string)) (*Follow, error) {
	opt.Need, opt.Numbered = need, true
	f := &Follow{path: path, need: need, opt: opt, notice: notice, every: followEvery, next: 1, sum: Account{MissingCells: map[string]int64{}}}
	var err error
	f.tail, err = flowcsv.NewTail(path, opt)
	return f, err
}

func (f *Follow) columns() []string { return f.tail.Columns() }
func (f *Follow) labels() []string  { return f.tail.Labels() }
func (f *Follow) account() Account  { return f.sum }

func (f *Follow) each(ctx context.Context, emit func(Rows) error) (err error) {
	if f.file, err = os.Open(f.path); err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	defer func() { f.file.Close() }()
	buffer := make([]byte, 1<<18)
	for {
		n, err := f.file.Read(buffer)
		if n > 0 {
			f.offset += int64(n)
			if err := f.tail.Write(buffer[:n], func(b *flowcsv.Block) error { return f.block(b, emit) }); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("follow %s: %w", f.path, err)
		}
		if ctx.Err() == nil && n > 0 {
			continue
		}
		if ctx.Err() != nil {
			return f.close("")
		}
		if err := f.look(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return f.close("")
		case <-time.After(f.every):
		}
	}
}

func (f *Follow) block(b *flowcsv.Block, emit func(Rows) error) error {
	rows := blockRows(b, filepath.Base(f.path), f.next)
	rows.Read = f.offset
	f.next += int64(b.Rows)
	return emit(rows)
}

// look notices a file that was cut short or replaced. One that is gone is waited for.
func (f *Follow) look() error {
	there, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	open, err := f.file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("follow: %w", err)
	case !os.SameFile(there, open):
		if open.Size() > f.offset {
			return nil // the old one is read to its end before
		}
		return f.again("was replaced; the new file is followed from its first line")
	case open.Size() < f.offset:
		return f.again("was cut short; it is followed from its first line")
	}
	return nil
}

// again starts with the file that is at the path now.
func (f *Follow) again(why string) error {
	if err := f.close(why); err != nil {
		return err
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone once more since
	}
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	f.file.Close()
	f.file, f.offset = file, 0
	f.tail, err = flowcsv.NewTail(f.path, f.opt)
	return err
}

// close takes the account of the lines read so far, and says what is left out.
func (f *Follow) close(why string) error {
	if why != "" {
		f.notice(fmt.Sprintf("%s %s", f.path, why))
	}
	if n := f.tail.Waiting(); n > 0 {
		f.notice(fmt.Sprintf("%s: its last %d bytes, a line without an end, are not scored", f.path, n))
	}
	l, err := f.tail.Ledger()
	if err != nil {
		return err
	}
	part := accountOf(l, f.need)
	f.sum.Dropped += part.Dropped
	for _, d := range part.Reasons {
		f.sum.addDrop(d)
	}
	for name, n := range part.MissingCells {
		f.sum.MissingCells[name] += n
	}
	return nil
}
