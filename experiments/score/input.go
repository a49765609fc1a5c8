package score

import (
	"context"
	"slices"

	"flowbench/data/flowcsv"
	"flowbench/data/ledger"
	"flowbench/data/prepared"
)

// Input is where rows come from: CSV, a prepared set, or a file that grows.
type Input interface {
	columns() []string // of Rows.Features
	labels() []string  // of Rows.Labels
	// each calls emit with all rows in order. It ends with emit's error, or ctx's.
	each(ctx context.Context, emit func(Rows) error) error
	// account is what became of the rows of the input, once each has ended.
	account() Account
}

// Account is what was read, and what was not as it should be.
type Account struct {
	Dropped      int64            `json:"dropped"`       // rows that could not be read
	Reasons      []ledger.Drop    `json:"reasons"`       // why
	MissingCells map[string]int64 `json:"missing_cells"` // that were filled in as in training, by column
}

// CSV reads flow records from CSV files or streams.
type CSV struct {
	sources []flowcsv.Source
	scanner *flowcsv.Scanner
	need    []string
	ledger  *ledger.Ledger
}

// NewCSV reads sources for a model of the given columns. opt says what to do with
// bad rows; files may lack what the model does not read, the label too.
func NewCSV(sources []flowcsv.Source, need []string, opt flowcsv.Options) (*CSV, error) {
	opt.Need, opt.Ungrouped, opt.Numbered = need, true, true
	scanner, err := flowcsv.NewScanner(sources, opt)
	if err != nil {
		return nil, err
	}
	return &CSV{sources: sources, scanner: scanner, need: need}, nil
}

func (c *CSV) columns() []string { return c.scanner.Columns() }
func (c *CSV) labels() []string  { return c.scanner.Labels() }

func (c *CSV) each(ctx context.Context, emit func(Rows) error) (err error) {
	next := int64(1)
	c.ledger, err = c.scanner.Scan(ctx, func(b *flowcsv.Block) error {
		source := c.sources[b.File]
		rows := blockRows(b, source.Name, next)
		next += int64(b.Rows)
		return emit(rows)
	})
	return err
}

func blockRows(b *flowcsv.Block, name string, first int64) Rows {
	return Rows{First: first, Features: b.Features, Lines: b.Lines, Labels: b.Labels, File: name, Read: b.Consumed}
}

func (c *CSV) account() Account { return accountOf(c.ledger, c.need) }

// accountOf sums a ledger up over the columns that count.
func accountOf(l *ledger.Ledger, need []string) Account {
	a := Account{MissingCells: map[string]int64{}}
	if l == nil {
		return a
	}
	a.Dropped = l.Dropped
	for _, label := range l.Labels {
		for _, d := range label.Drops {
			a.addDrop(d)
		}
	}
	for _, c := range l.Columns {
		if n := c.Missing(); n > 0 && slices.Contains(need, c.Name) {
			a.MissingCells[c.Name] = n
		}
	}
	return a
}

// addDrop adds rows that were left out to those of the same reason.
func (a *Account) addDrop(d ledger.Drop) {
	for i := range a.Reasons {
		if a.Reasons[i].Reason == d.Reason {
			a.Reasons[i].Rows += d.Rows
			return
		}
	}
	a.Reasons = append(a.Reasons, d)
}

// Prepared reads the rows of a prepared set where they lie. Missing cells are not
// counted again: the set's ledger has them.
type Prepared struct{ set *prepared.Set }

// NewPrepared reads an open set, which stays the caller's.
func NewPrepared(set *prepared.Set) *Prepared { return &Prepared{set} }

func (p *Prepared) columns() []string { return p.set.Manifest().Columns }
func (p *Prepared) labels() []string  { return p.set.Manifest().Labels }
func (p *Prepared) account() Account  { return Account{MissingCells: map[string]int64{}} }

// preparedRows is how many rows a batch has: 1.2 MB of 77 columns, a few
// milliseconds of work, so that handing them on costs nothing.
const preparedRows = 4096

func (p *Prepared) each(ctx context.Context, emit func(Rows) error) error {
	cols, files, names := len(p.columns()), p.set.Files(), p.set.Manifest().FileNames()
	for lo := 0; lo < len(files); {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		hi := lo + 1
		for hi < len(files) && hi-lo < preparedRows && files[hi] == files[lo] {
			hi++
		}
		err := emit(Rows{
			First: int64(lo) + 1, Features: p.set.Features()[lo*cols : hi*cols], Labels: p.set.Labels()[lo:hi],
			File: names[files[lo]], Read: int64(hi) * int64(cols) * 4, Stable: true,
		})
		if err != nil {
			return err
		}
		lo = hi
	}
	return nil
}
