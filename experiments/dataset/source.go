package dataset

import (
	"context"
	"fmt"
	"io"
	"strings"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/synth"
	"flowbench/experiments/spec"
)

// Open opens the flows that a data section names. A prepared folder is used
// where it lies; anything else is prepared into dir first, unless dir holds it
// already. progress, where set, sees the bytes read so far and in all, 0 where
// that is not known. The caller closes the set.
func Open(ctx context.Context, d spec.Data, dir string, progress func(done, total int64)) (*prepared.Set, error) {
	if len(d.Source) == 1 && prepared.IsPrepared(d.Source[0]) {
		return prepared.Open(d.Source[0])
	}
	if prepared.IsPrepared(dir) {
		return prepared.Open(dir)
	}
	sources, synthetic, err := Sources(d.Source...)
	if err != nil {
		return nil, err
	}
	_, err = prepared.Write(ctx, dir, sources, prepared.Options{
		Read:      flowcsv.Options{Labels: d.ExtraLabels},
		Source:    strings.Join(d.Source, " "),
		Synthetic: synthetic,
		Progress:  progress,
	})
	if err != nil {
		return nil, err
	}
	return prepared.Open(dir)
}

// Sources lists the CSVs that the addresses mean: files, folders, globs, or
// synth:// URIs, whose rows are generated as they are read. It says whether any
// of them is synthetic.
func Sources(addresses ...string) (sources []flowcsv.Source, synthetic bool, err error) {
	var paths []string
	for _, address := range addresses {
		if !strings.HasPrefix(address, synth.Scheme) {
			paths = append(paths, address)
			continue
		}
		config, err := synth.Parse(address)
		if err != nil {
			return nil, false, err
		}
		files, err := synth.Files(config)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", address, err)
		}
		for _, f := range files {
			sources = append(sources, generated(address, f))
		}
		synthetic = true
	}
	if len(paths) == 0 {
		return sources, synthetic, nil
	}
	found, err := flowcsv.Find(paths...)
	return append(sources, found...), synthetic, err
}

// generated is a synthetic file as a source that never touches the disk.
func generated(address string, f synth.File) flowcsv.Source {
	return flowcsv.Source{
		Name: f.Name,
		Path: address + "/" + f.Name,
		Open: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(f.Write(w)) }()
			return r, nil
		},
	}
}
