package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/prepared"
	"flowbench/data/suggest"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
	"flowbench/experiments/study"
	"flowbench/kernels"
	"flowbench/train"
	"flowbench/train/export"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "take a finished run's model to other programs: ONNX, safetensors, npz",
		ArgsUsage: "RUN",
		Description: "RUN is a trial's folder, STUDY:3, STUDY:best, or the folder that flowbench train wrote.\n" +
			"The bundle is a new folder with the weights in each format, schema.json, MODEL_CARD.md\n" +
			"and manifest.json, which has the SHA-256 of every file. The same run gives the same\n" +
			"bytes. model.onnx (operator set 17) reads raw feature values, float32 [N, d], and gives\n" +
			"score, float64 [N], of a DNN also probabilities: imputation, logarithm and scaling are\n" +
			"inside. Nearest neighbours and DBSCAN take their rows along, up to 2 GB.\n\n" +
			"--verify runs model.onnx by ONNX Runtime in Node.js (npm package onnxruntime-node) on\n" +
			"1,000 flows and on rows with NaN, infinities, zeros and extremes. Largest difference\n" +
			"1e-5, as a share of the score where that is above 1, and the same decisions: else\n" +
			"nothing is exported. The figures are in verify.json.\n\n" +
			"example: flowbench export runs/demo:best --out demo-model",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "format", Usage: "`format` of the weights, several with commas or again: " + strings.Join(export.Formats(), ", ") + " (default: all)"},
			&cli.StringFlag{Name: "layout", Value: export.Plain, Usage: "`layout` of safetensors and npz: plain (dense weights inputs by outputs), torch (outputs by inputs)"},
			&cli.StringFlag{Name: "out", Usage: "new `folder` of the bundle (default: export in the trial's folder)"},
			&cli.BoolFlag{Name: "verify", Usage: "hold the ONNX model against the run's own scores"},
			&cli.StringSliceFlag{Name: "flows", Usage: "`source` of the flows that --verify takes, as score has them, again for more (default: those of the run's study)"},
			simdFlag(),
		},
		Action: runExport,
	}
}

func runExport(c *cli.Context) error {
	address, err := oneArgument(c, "a run, such as runs/demo:best,")
	if err != nil {
		return err
	}
	opt, err := exportOptions(c)
	if err != nil {
		return err
	}
	backend, err := scoreBackend(c.String("simd"))
	if err != nil {
		return err
	}
	dir, err := study.FindTrial(c.Context, address)
	if err != nil {
		return err
	}
	f, err := train.OpenFinished(dir)
	if err != nil {
		return err
	}
	if data, err := spec.Flows(filepath.Join(dir, "spec.yaml")); err == nil { // an imported run may have none
		opt.Sources = data.Source
	}
	out := c.String("out")
	if out == "" {
		out = filepath.Join(dir, "export")
	}
	var proof *export.Proof
	if c.Bool("verify") {
		opt.Verify = func(ctx context.Context, path string) (*export.Proof, error) {
			proof, err = verifyExport(ctx, f, backend, path, c.StringSlice("flows"))
			return proof, err
		}
	}
	if err := export.Write(c.Context, out, f, opt); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %s in %s\n", out, f.Model.Config.Model.Kind, strings.Join(opt.Formats, ", "))
	if proof != nil {
		fmt.Fprintf(c.App.Writer, "verified: %d rows by %s, largest difference %.2g, %d alerts, %d decisions differ\n", proof.Rows, proof.Runtime, proof.Largest, proof.Alerts, proof.Different)
	}
	return nil
}

// exportOptions reads the flags.
func exportOptions(c *cli.Context) (export.Options, error) {
	opt := export.Options{Layout: c.String("layout")}
	for _, words := range c.StringSlice("format") {
		for _, word := range strings.Split(words, ",") {
			if !slices.Contains(export.Formats(), word) {
				return opt, usageError(fmt.Sprintf("--format %s is none that there is: write %s%s; see flowbench export --help", word, strings.Join(export.Formats(), ", "), suggest.DidYouMean(word, export.Formats())))
			}
			if !slices.Contains(opt.Formats, word) {
				opt.Formats = append(opt.Formats, word)
			}
		}
	}
	if opt.Formats == nil {
		opt.Formats = export.Formats()
	}
	layouts := []string{export.Plain, export.Torch}
	switch {
	case !slices.Contains(layouts, opt.Layout):
		return opt, usageError(fmt.Sprintf("--layout %s is none that there is: write %s%s; see flowbench export --help", opt.Layout, strings.Join(layouts, ", "), suggest.DidYouMean(opt.Layout, layouts)))
	case c.Bool("verify") && !slices.Contains(opt.Formats, "onnx"):
		return opt, usageError("--verify runs the ONNX model: add onnx to --format; see flowbench export --help")
	case c.IsSet("flows") && !c.Bool("verify"):
		return opt, usageError("--flows are what --verify takes: add --verify, or leave it out; see flowbench export --help")
	}
	return opt, nil
}

// verifyRows is how many flows a proof takes.
const verifyRows = 1000

// verifyExport holds the ONNX model at path against f, on the flows of named, or
// those of its study.
func verifyExport(ctx context.Context, f *train.Finished, backend kernels.Backend, path string, named []string) (*export.Proof, error) {
	set, from, closing, err := verifyFlows(ctx, f, named)
	if err != nil {
		return nil, err
	}
	defer closing()
	names := set.Manifest().Columns
	columns, err := f.Model.Scaler.Locate(names)
	if err != nil {
		return nil, err
	}
	features := set.Features()
	var x []float32
	for _, row := range proofRows(f.Model, set) {
		for _, column := range columns {
			x = append(x, features[row*len(names)+column])
		}
	}
	return export.Verify(ctx, f, backend, path, x, from)
}

// proofRows are verifyRows of the set's rows, evenly spaced, each more than once
// where there are fewer, and up to a tenth as many of those that are attacks to the
// model, so that decisions of both kinds are compared.
func proofRows(m *train.ModelFile, set *prepared.Set) []int {
	var rows, attacks []int
	for i, label := range set.Labels() {
		if int(label) < len(m.LabelClass) && m.LabelClass[label] > 0 {
			attacks = append(attacks, i)
		}
	}
	for i := range verifyRows {
		rows = append(rows, i*len(set.Labels())/verifyRows)
	}
	for i := range min(len(attacks), verifyRows/10) {
		rows = append(rows, attacks[i*len(attacks)/min(len(attacks), verifyRows/10)])
	}
	return rows
}

// verifyFlows opens the flows that named gives, or those that the run in dir was
// trained on: as its study prepared them, or from the sources of its spec.
func verifyFlows(ctx context.Context, f *train.Finished, named []string) (set *prepared.Set, from string, closing func(), err error) {
	data, own := spec.Data{Source: named}, filepath.Join(f.Dir, "..", "..", "data")
	if len(named) == 0 {
		if data, err = specData(f); err != nil {
			return nil, "", nil, err
		}
		if set, err := prepared.Open(own); err == nil {
			if set.Manifest().Fingerprint == f.Model.Flows {
				return set, strings.Join(data.Source, " "), func() { set.Close() }, nil
			}
			set.Close()
		}
	}
	tmp, err := os.MkdirTemp("", "flowbench-verify-")
	if err != nil {
		return nil, "", nil, fmt.Errorf("--verify: %w", err)
	}
	if set, err = dataset.Open(ctx, data, filepath.Join(tmp, "data"), nil); err != nil {
		os.RemoveAll(tmp)
		return nil, "", nil, fmt.Errorf("--verify takes flows, of the run's study or of --flows: %w", err)
	}
	return set, strings.Join(data.Source, " "), func() { set.Close(); os.RemoveAll(tmp) }, nil
}

// specData is what the run's spec says of its flows.
func specData(f *train.Finished) (spec.Data, error) {
	path := filepath.Join(f.Dir, "spec.yaml")
	if _, err := os.Stat(path); err != nil {
		return spec.Data{}, fmt.Errorf("--verify takes flows of the run's study, and %s has no spec.yaml that names them: name some with --flows", f.Dir)
	}
	data, err := spec.Flows(path)
	if err != nil {
		return data, fmt.Errorf("--verify takes flows of the run's study: %w; or name some with --flows", err)
	}
	return data, nil
}

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "make a run of an exported bundle, which scores the same",
		ArgsUsage: "BUNDLE",
		Description: "BUNDLE is a folder that flowbench export wrote, with safetensors among its formats, in\n" +
			"either layout. The new folder is a trial's, which score and export take. It holds the\n" +
			"weights to the bit: their SHA-256 must be the one that training wrote.\n\n" +
			"example: flowbench import demo-model --out runs/imported",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Required: true, Usage: "new `folder` of the run"},
		},
		Action: runImport,
	}
}

func runImport(c *cli.Context) error {
	bundle, err := oneArgument(c, "a bundle's folder")
	if err != nil {
		return err
	}
	if err := export.Import(bundle, c.String("out")); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: imported; flowbench score %s FLOWS gives verdicts\n", c.String("out"), c.String("out"))
	return nil
}
