package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/schema"
	"flowbench/data/synth"
	"flowbench/data/table"
)

// CSVResult is a timed preparation of CSV files.
type CSVResult struct {
	Work               string  `json:"work"` // "csv"
	Rows               int64   `json:"rows"`
	Cols               int     `json:"cols"`
	Threads            int     `json:"threads"`
	Bytes              int64   `json:"bytes"` // of CSV
	Synthetic          bool    `json:"synthetic"`
	Seconds            float64 `json:"seconds"` // from CSV to a prepared set
	Slowest            float64 `json:"slowest"` // seconds
	Fastest            float64 `json:"fastest"`
	MegabytesPerSecond float64 `json:"megabytes_per_second"` // of CSV, 10⁶ bytes
	// PeakMemory is the most that the process had resident, mapped files
	// included; 0 where the operating system does not say.
	PeakMemory    int64   `json:"peak_memory_bytes,omitempty"`
	PreparedBytes int64   `json:"prepared_bytes"` // of the folder's files
	OpenSeconds   float64 `json:"open_seconds"`   // to map the prepared set
	Repeats       int     `json:"repeats"`
}

// CSVSources are the flows.csv in dir, or else every CSV there.
func CSVSources(dir string) ([]flowcsv.Source, error) {
	path := filepath.Join(dir, "flows.csv")
	if _, err := os.Stat(path); err != nil {
		path = dir
	}
	return flowcsv.Find(path)
}

// WriteSynthetic writes CSV files of so many synthetic rows into dir.
func WriteSynthetic(ctx context.Context, dir string, rows int, seed uint64) error {
	files, err := synth.Files(synth.Config{Profile: "infiltration", Rows: rows, Seed: seed})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := os.Create(filepath.Join(dir, f.Name))
		if err != nil {
			return err
		}
		if err := f.Write(out); err != nil {
			out.Close()
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Prepare reads the sources once into a set in dir, which it makes and leaves to
// the caller, and opens it. The process should be one that does nothing else, for
// its memory is measured too.
func Prepare(ctx context.Context, sources []flowcsv.Source, dir string, threads int) (CSVResult, error) {
	options, err := optionsFor(sources)
	if err != nil {
		return CSVResult{}, err
	}
	start := time.Now()
	m, err := prepared.Write(ctx, dir, sources, options)
	took := time.Since(start).Seconds()
	if err != nil {
		return CSVResult{}, err
	}
	r := CSVResult{Work: "csv", Rows: m.Rows, Cols: len(m.Columns), Threads: threads, Seconds: took, Slowest: took, Fastest: took, Repeats: 1}
	r.PeakMemory = peakMemory()
	for _, f := range m.Files {
		r.Bytes += f.Bytes
	}
	r.MegabytesPerSecond = float64(r.Bytes) / 1e6 / took
	if r.PreparedBytes, err = folderSize(dir); err != nil {
		return CSVResult{}, err
	}
	start = time.Now()
	set, err := prepared.Open(dir)
	if err != nil {
		return CSVResult{}, err
	}
	r.OpenSeconds = time.Since(start).Seconds()
	return r, set.Close()
}

// optionsFor reads files of a known schema as such, and others, such as the
// rulers' flows.csv, by the columns that the first of them has.
func optionsFor(sources []flowcsv.Source) (prepared.Options, error) {
	options := prepared.Options{Source: "bench csv"}
	columns, err := flowcsv.FeatureColumns(sources[0])
	if err != nil {
		return options, nil // of a known schema, or an error that reading reports in its place
	}
	known := schema.Features()
	if !slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(known, name) }) {
		options.Read.Columns = columns
	}
	return options, nil
}

func folderSize(dir string) (size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}

// Warm reads the sources once, so that all later reads find them in memory.
func Warm(ctx context.Context, sources []flowcsv.Source) error {
	for _, s := range sources {
		r, err := s.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, untilDone{ctx, r})
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// untilDone is a reader that fails when its context has ended.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// MedianCSV joins rounds of the same work, each the result of one Prepare.
func MedianCSV(rounds []CSVResult) CSVResult {
	r := rounds[0]
	of := func(field func(CSVResult) float64) []float64 {
		var values []float64
		for _, one := range rounds {
			values = append(values, field(one))
		}
		return values
	}
	seconds := of(func(r CSVResult) float64 { return r.Seconds })
	r.Seconds, r.Slowest, r.Fastest = median(seconds), slices.Max(seconds), slices.Min(seconds)
	r.MegabytesPerSecond = float64(r.Bytes) / 1e6 / r.Seconds
	r.PeakMemory = int64(median(of(func(r CSVResult) float64 { return float64(r.PeakMemory) })))
	r.OpenSeconds = median(of(func(r CSVResult) float64 { return r.OpenSeconds }))
	r.Repeats = len(rounds)
	return r
}

// WriteCSV prints the result as a table of one row.
func WriteCSV(w io.Writer, r CSVResult) error {
	t := table.New(table.Left("work"), table.Right("rows"), table.Right("MB of CSV"), table.Right("seconds"), table.Right("slowest"),
		table.Right("fastest"), table.Right("MB/s"), table.Right("peak MB"), table.Right("prepared MB"), table.Right("peak/prepared"), table.Right("open ms"))
	peak, share := "-", "-"
	if r.PeakMemory > 0 {
		peak = fmt.Sprintf("%.0f", float64(r.PeakMemory)/1e6)
		share = fmt.Sprintf("%.2f", float64(r.PeakMemory)/float64(r.PreparedBytes))
	}
	t.Row(r.Work, table.Count(r.Rows), fmt.Sprintf("%.1f", float64(r.Bytes)/1e6), fmt.Sprintf("%.3f", r.Seconds), fmt.Sprintf("%.3f", r.Slowest),
		fmt.Sprintf("%.3f", r.Fastest), fmt.Sprintf("%.0f", r.MegabytesPerSecond), peak, fmt.Sprintf("%.1f", float64(r.PreparedBytes)/1e6), share, fmt.Sprintf("%.2f", 1000*r.OpenSeconds))
	if err := t.Write(w, ""); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nmedians of %s, each in a process of its own with %s\n", plural(r.Repeats, "round"), plural(r.Threads, "thread"))
	return err
}
