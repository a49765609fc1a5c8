package prepared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"flowbench/data/flowcsv"
	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// Options say how to prepare. The zero value is strict and replaces nothing.
type Options struct {
	// Read says how the sources are read. Ungrouped is not allowed.
	Read flowcsv.Options
	// Source and Synthetic go into the manifest.
	Source    string
	Synthetic bool
	// Replace lets Write put its result in the place of an earlier prepared set.
	Replace bool
	// Progress is called now and then with the bytes read so far and those in
	// all sources together (0 where a size is not known).
	Progress func(done, total int64)
}

// ErrExists is in the error of Write where the folder already holds a prepared
// set and Options.Replace is not set.
var ErrExists = errors.New("the folder already holds a prepared set")

// Write reads the sources into a new prepared set at dir, and makes the folders
// above dir where they are missing. It never keeps the matrix in memory: that
// holds four bytes a row and the tables of flowcsv's groups.
//
// dir must be missing, empty, or, with Options.Replace, an earlier prepared set
// with nothing else in it. On any error, and when ctx ends, dir is as it was
// and no file stays.
func Write(ctx context.Context, dir string, sources []flowcsv.Source, opt Options) (*Manifest, error) {
	return write(ctx, dir, sources, opt, func(path string) (file, error) {
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	})
}

func write(ctx context.Context, dir string, sources []flowcsv.Source, opt Options, create createFile) (_ *Manifest, err error) {
	if err := checkHost(); err != nil {
		return nil, err
	}
	if opt.Read.Ungrouped {
		return nil, errors.New("prepared: the set needs groups: leave Options.Read.Ungrouped unset")
	}
	scanner, err := flowcsv.NewScanner(sources, opt.Read)
	if err != nil {
		return nil, err
	}
	work, err := newFolder(dir, opt.Replace)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, work.Remove())
		}
	}()
	w := &writer{scanner: scanner, opt: opt, final: dir, dir: work.Path, create: create, total: totalSize(sources)}
	defer w.abandon()
	m, err := w.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := work.publish(); err != nil {
		return nil, err
	}
	return m, nil
}

func totalSize(sources []flowcsv.Source) int64 {
	var total int64
	for _, s := range sources {
		if s.Size == 0 {
			return 0
		}
		total += s.Size
	}
	return total
}

// writer fills one temporary folder.
type writer struct {
	scanner *flowcsv.Scanner
	opt     Options
	final   string // for messages
	dir     string
	create  createFile
	total   int64

	features *arrayWriter[float32]
	groups   *arrayWriter[int64]
	files    *arrayWriter[int32]
	label    *arrayWriter[int32]
	labels   []int32 // scanner's numbers; the manifest's are known at the end
	ngroups  int64
	file     []int32 // of the block
}

func (w *writer) run(ctx context.Context) (*Manifest, error) {
	if err := w.open(); err != nil {
		return nil, explain(w.final, err)
	}
	l, err := w.scanner.Scan(ctx, w.block)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Version: version, Source: w.opt.Source, Synthetic: w.opt.Synthetic, Rows: l.Kept,
		Columns: slices.Clone(w.scanner.Columns()), Groups: w.ngroups, Files: files(l), Ledger: l}
	if err := w.finish(m); err != nil {
		return nil, explain(w.final, err)
	}
	return m, nil
}

func (w *writer) open() (err error) {
	if w.features, err = newArrayWriter[float32](w.create, w.dir, featuresName, int64(len(w.scanner.Columns()))); err != nil {
		return err
	}
	if w.label, err = newArrayWriter[int32](w.create, w.dir, labelsName, 0); err != nil {
		return err
	}
	if w.groups, err = newArrayWriter[int64](w.create, w.dir, groupsName, 0); err != nil {
		return err
	}
	w.files, err = newArrayWriter[int32](w.create, w.dir, filesName, 0)
	return err
}

// block takes one block of the scan.
func (w *writer) block(b *flowcsv.Block) error {
	if len(w.labels)+b.Rows > math.MaxInt32 {
		return fmt.Errorf("more than %d rows; prepare the files in several sets", math.MaxInt32)
	}
	w.labels = append(w.labels, b.Labels...)
	w.ngroups = max(w.ngroups, slices.Max(b.Groups)+1)
	w.file = w.file[:0]
	for range b.Rows {
		w.file = append(w.file, int32(b.File))
	}
	err := w.features.write(b.Features)
	if err == nil {
		err = w.groups.write(b.Groups)
	}
	if err == nil {
		err = w.files.write(w.file)
	}
	if err != nil {
		return explain(w.final, err)
	}
	if w.opt.Progress != nil {
		w.opt.Progress(b.Consumed, w.total)
	}
	return nil
}

// writeLabels numbers the labels that occur, BENIGN first even where it does not.
func (w *writer) writeLabels(m *Manifest) error {
	names := w.scanner.Labels()
	rows := make([]int64, len(names))
	for _, label := range w.labels {
		rows[label]++
	}
	number := make([]int32, len(names))
	for label, name := range names {
		if rows[label] > 0 || name == schema.Benign {
			number[label] = int32(len(m.Labels))
			m.Labels = append(m.Labels, name)
			m.LabelRows = append(m.LabelRows, rows[label])
		}
	}
	for i, label := range w.labels {
		w.labels[i] = number[label]
	}
	return w.label.write(w.labels)
}

// finish writes the labels, closes the arrays, and completes and writes the manifest.
func (w *writer) finish(m *Manifest) error {
	if err := w.writeLabels(m); err != nil {
		return err
	}
	for _, finish := range []func() (Array, error){w.features.finish, w.label.finish, w.groups.finish, w.files.finish} {
		a, err := finish()
		if err != nil {
			return err
		}
		m.Arrays = append(m.Arrays, a)
	}
	m.Fingerprint = m.fingerprint()
	return w.writeManifest(m)
}

func (w *writer) writeManifest(m *Manifest) error {
	f, err := w.create(filepath.Join(w.dir, manifestName))
	if err != nil {
		return err
	}
	err = m.writeTo(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// abandon closes what an error left open.
func (w *writer) abandon() {
	w.features.abandon()
	w.label.abandon()
	w.groups.abandon()
	w.files.abandon()
}

func files(l *ledger.Ledger) []File {
	list := make([]File, len(l.Files))
	for i, f := range l.Files {
		list[i] = File{Name: f.Name, Form: f.Form, Bytes: f.Bytes, Rows: f.Kept}
	}
	return list
}
