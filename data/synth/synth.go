// Package synth makes CICIDS2017-shaped flow records: seeded, of any size, with
// the counts of labels and the faults of the real files.
//
// A row is drawn in two steps. A Gaussian copula over base columns, fitted for
// each cluster of each class (protocol, service, packet pattern, duration),
// gives what a flow is free to choose: packets, sizes, gaps, windows, flags.
// All other columns are computed from those as the flow meter defines them, so
// that means lie between minimum and maximum, rates follow from totals and
// duration, and sums add up. The tables of the copula (tables.json, embedded)
// are statistics that scripts/synth/measure.py took from samples of the real
// data; they hold no row of it.
//
// What is made is synthetic: good for tests, demonstrations and benchmarks, no
// evidence on how a detector fares on real traffic.
package synth

import (
	"fmt"
	"io"
	"math/rand/v2"

	"flowbench/data/schema"
)

// Config says what to make. The zero Rows and Positives mean the profile's own.
type Config struct {
	// Profile is "infiltration" (the Monday and the Thursday-afternoon file,
	// 818,520 rows, 36 of them Infiltration) or "full" (eight files, 2,830,743
	// rows, 15 labels).
	Profile string
	// Rows is the number of rows over all files. How labels scale with it is
	// written at Files.
	Rows int
	// Positives is the number of Infiltration rows. They come in connections of
	// 17, 7, 5, 4, 2 and 1 pieces, over and over.
	Positives int
	// Seed chooses the rows. Equal Configs give equal bytes.
	Seed uint64
}

// LabelCount is how many rows of a file carry a label, in its canonical spelling.
type LabelCount struct {
	Label string
	Rows  int
}

// File is one synthetic CSV, not yet written.
type File struct {
	// Name resembles that of the real file; ".synthetic.csv" tells them apart.
	Name string
	Rows int
	// Labels has BENIGN first.
	Labels []LabelCount
	// Notice says in words that the file is synthetic, and how to make it again.
	Notice string

	plan filePlan
}

// Files plans the files of cfg, in the order of the week. Nothing is drawn yet.
//
// With Rows below or above the profile's own, every label scales in proportion,
// but a class keeps 36 rows (all of its rows, where it has fewer), and
// Infiltration keeps exactly its number, so that a small set still has something
// to find. Where that would make the attacks more than half of all rows, the 36
// shrinks as far as needed. Every file keeps one benign row at least; a Config
// with fewer rows than that needs is an error.
//
// A quarter of Thursday afternoon's benign rows is the intruder's port scan, as
// in the real file, and labelled BENIGN as it is there.
func Files(cfg Config) ([]File, error) {
	profile, err := profileNamed(cfg.Profile)
	if err != nil {
		return nil, err
	}
	counts, err := scaleCounts(profile, cfg)
	if err != nil {
		return nil, err
	}
	tables, err := loadTables()
	if err != nil {
		return nil, err
	}
	cfg.Rows, cfg.Positives = 0, 0
	files := make([]File, len(profile.files))
	for i, spec := range profile.files {
		plan, err := planFile(tables, spec, counts[i], cfg.Seed)
		if err != nil {
			return nil, err
		}
		files[i] = File{Name: spec.name, Rows: plan.rows, Labels: labelCounts(spec, counts[i]), plan: plan}
		cfg.Rows += plan.rows
		cfg.Positives += countOf(files[i].Labels, infiltration)
	}
	for i := range files {
		files[i].Notice = fmt.Sprintf("synthetic flows in the shape of CICIDS2017, no real traffic; made by flowbench from %s", cfg)
	}
	return files, nil
}

// Write writes the file as CSV: the header, then Rows rows, each ended by CR LF.
// The bytes depend on the Config alone, whatever GOMAXPROCS is; blocks of rows
// are made in parallel and written in order, and at most a few blocks per
// processor are held. It returns the first error of w.
func (f File) Write(w io.Writer) error {
	if _, err := io.WriteString(w, schema.RawHeader79+"\r\n"); err != nil {
		return fmt.Errorf("writing %s: %w", f.Name, err)
	}
	if err := writeBlocks(w, f.plan.blocks(), f.plan.block); err != nil {
		return fmt.Errorf("writing %s: %w", f.Name, err)
	}
	return nil
}

// What the generators of a file are for.
const (
	benignStream     = iota + 1 // faults of benign rows
	attackStream                // faults of an attack's rows
	blockStream                 // rows of a block
	pieceStream                 // what is its own of an Infiltration piece
	connectionStream            // what a connection's pieces share
)

// stream is a generator of its own for each tuple of numbers.
func stream(seed uint64, path ...uint64) *rand.Rand {
	a, b := mix(seed), mix(^seed)
	for _, p := range path {
		a, b = mix(a^p), mix(b+p)
	}
	return rand.New(rand.NewPCG(a, b))
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the
// input moves every bit of the output.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
