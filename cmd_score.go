package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/suggest"
	"flowbench/experiments/dataset"
	"flowbench/experiments/report"
	"flowbench/experiments/score"
	"flowbench/experiments/study"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/train"
)

func scoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "score",
		Usage:     "give flows the verdicts of a finished run's model",
		ArgsUsage: "RUN SOURCE ...",
		Description: "RUN is a trial's folder, STUDY:3 (trial 3 of a study), STUDY:best, or the folder that\n" +
			"flowbench train wrote. A SOURCE is a CSV file, a folder, a glob, a synth:// address,\n" +
			"- for standard input, or one prepared folder. Columns are found by name, in any order;\n" +
			"one that the model reads and a file lacks is an error. Memory does not grow with the\n" +
			"rows, and they come out in their order. The summary goes to standard error.\n\n" +
			"An explanation names the three columns with the largest parts in a row's score: terms of\n" +
			"the reconstruction error (autoencoder), integrated gradients from the median benign row\n" +
			"(DNN), squared differences from what is nearest (K-Means, mixtures, neighbours, DBSCAN),\n" +
			"squared residuals (PCA), weight times value (logistic regression).\n\n" +
			"example: flowbench score runs/demo:best flows/*.csv --out verdicts.csv",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`file` to write, whole or not at all (default: standard output)"},
			&cli.StringFlag{Name: "format", Value: "csv", Usage: "`format` of the rows: " + strings.Join(score.Formats(), ", ")},
			&cli.Float64Flag{Name: "threshold", Usage: "`score` from which a row is an alert (default: the run's, chosen on validation rows)"},
			&cli.Float64Flag{Name: "max-fpr", Usage: "take the threshold that keeps this `rate` of false positives on the run's validation rows"},
			&cli.StringFlag{Name: "explain", Value: string(score.Alerts), Usage: "explain `which` rows: alerts, all, none; of a DNN one takes as long as some 30 scores"},
			&cli.BoolFlag{Name: "follow", Usage: "score the rows of one growing CSV file as they come, until Ctrl-C"},
			&cli.BoolFlag{Name: "drop-bad-rows", Usage: "leave out rows that cannot be read, and count them in the summary"},
			&cli.BoolFlag{Name: "json", Usage: "print the summary as one JSON object, on standard output where --out takes the rows"},
			simdFlag(),
		},
		Action: runScore,
	}
}

func runScore(c *cli.Context) (err error) {
	if err := checkScoreUse(c); err != nil {
		return err
	}
	backend, err := scoreBackend(c.String("simd"))
	if err != nil {
		return err
	}
	dir, err := study.FindTrial(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	model, err := train.OpenFinished(dir)
	if err != nil {
		return err
	}
	opt, err := scoreOptions(c, model.Model)
	if err != nil {
		return err
	}
	noteDevice(c.App.ErrWriter, model.Model.Device, backend.Name())
	in, total, closing, err := scoreInput(c, model.Model.Scaler.Columns)
	if err != nil {
		return err
	}
	defer closing()
	progress := report.NewBytes(c.App.ErrWriter, isTerminal(c.App.ErrWriter) && c.String("out") != "", "scoring")
	opt.Progress = func(done int64) { progress.Show(done, total) }
	summary, err := scoreTo(c, model, backend, in, opt)
	progress.Close()
	if err != nil {
		return err
	}
	return printScores(c, summary)
}

// checkScoreUse finds what is wrong use before any work.
func checkScoreUse(c *cli.Context) error {
	wrong := func(format string, args ...any) error {
		return usageError(fmt.Sprintf(format, args...) + "; see flowbench score --help")
	}
	explain := []string{string(score.Alerts), string(score.All), string(score.None)}
	switch {
	case c.NArg() < 2:
		return wrong("score needs a run and flows, such as runs/demo:best flows/*.csv")
	case !slices.Contains(score.Formats(), c.String("format")):
		return wrong("--format %s is none that there is: write %s%s", c.String("format"), strings.Join(score.Formats(), ", "), suggest.DidYouMean(c.String("format"), score.Formats()))
	case !slices.Contains(explain, c.String("explain")):
		return wrong("--explain %s is none that there is: write %s%s", c.String("explain"), strings.Join(explain, ", "), suggest.DidYouMean(c.String("explain"), explain))
	case c.IsSet("threshold") && c.IsSet("max-fpr"):
		return wrong("--threshold and --max-fpr both say when a row is an alert: leave out one")
	case c.IsSet("threshold") && math.IsNaN(c.Float64("threshold")):
		return wrong("--threshold NaN is no number")
	case c.IsSet("max-fpr") && !(c.Float64("max-fpr") > 0 && c.Float64("max-fpr") < 1):
		return wrong("--max-fpr %v is not between 0 and 1", c.Float64("max-fpr"))
	case c.Bool("follow") && (c.NArg() != 2 || c.Args().Get(1) == "-"):
		return wrong("--follow takes one CSV file that grows")
	case c.Bool("follow") && c.String("format") == "parquet":
		return wrong("--follow cannot write parquet, which is read from its end: write csv or jsonl")
	case c.String("format") == "parquet" && c.String("out") == "" && isTerminal(c.App.Writer):
		return wrong("parquet is no text for a terminal: name a file with --out")
	}
	return nil
}

// scoreBackend is one of one thread a machine: score has a machine for each core.
func scoreBackend(simd string) (kernels.Backend, error) {
	return chooseLevel(simd, func(level string) (kernels.Backend, error) { return cpu.WithThreads(level, 1) })
}

// noteDevice says where scores may differ in their last digits from the run's own.
func noteDevice(log io.Writer, trained, here string) {
	simd := func(name string) bool { return name == "cpu/avx2" || name == "cpu/avx512" }
	if trained != here && !(simd(trained) && simd(here)) {
		fmt.Fprintf(log, "note: the run was trained and judged on %s; scores of %s can differ from it in their last digits\n", trained, here)
	}
}

// scoreOptions reads the flags.
func scoreOptions(c *cli.Context, m *train.ModelFile) (score.Options, error) {
	opt := score.Options{Explain: score.Explain(c.String("explain")), Threshold: m.Threshold.V}
	switch {
	case c.IsSet("threshold"):
		opt.Threshold = c.Float64("threshold")
	case c.IsSet("max-fpr"):
		var err error
		if opt.Threshold, err = m.ThresholdAt(c.Float64("max-fpr")); err != nil {
			return opt, fmt.Errorf("--max-fpr: %w", err)
		}
	case !m.Threshold.OK:
		return opt, errors.New("the run has no threshold, as its validation rows allowed none: give one with --threshold")
	}
	return opt, nil
}

// scoreInput opens the sources. total is their size in bytes, 0 where it is not known.
func scoreInput(c *cli.Context, columns []string) (in score.Input, total int64, closing func() error, err error) {
	none := func() error { return nil }
	addresses := c.Args().Slice()[1:]
	opt := flowcsv.Options{}
	if c.Bool("drop-bad-rows") {
		opt.BadRows = flowcsv.Drop
	}
	if c.Bool("follow") {
		if _, err := flowcsv.File(addresses[0]); err != nil {
			return nil, 0, nil, err
		}
		in, err = score.NewFollow(addresses[0], columns, opt, func(what string) { fmt.Fprintln(c.App.ErrWriter, what) })
		return in, 0, none, err
	}
	for _, address := range addresses {
		if prepared.IsPrepared(address) && len(addresses) > 1 {
			return nil, 0, nil, usageError(fmt.Sprintf("%s is a prepared set, which is scored by itself; see flowbench score --help", address))
		}
	}
	if prepared.IsPrepared(addresses[0]) {
		set, err := prepared.Open(addresses[0])
		if err != nil {
			return nil, 0, nil, err
		}
		m := set.Manifest()
		return score.NewPrepared(set), m.Rows * int64(len(m.Columns)) * 4, set.Close, nil
	}
	sources, err := scoreSources(addresses)
	if err != nil {
		return nil, 0, nil, err
	}
	for _, s := range sources {
		if s.Size == 0 {
			total = 0
			break
		}
		total += s.Size
	}
	in, err = score.NewCSV(sources, columns, opt)
	return in, total, none, err
}

// scoreSources are those of the addresses, of which - is standard input.
func scoreSources(addresses []string) ([]flowcsv.Source, error) {
	stdin := slices.Index(addresses, "-")
	if stdin < 0 {
		sources, _, err := dataset.Sources(addresses...)
		return sources, err
	}
	if len(addresses) > 1 {
		return nil, usageError("- is standard input, which is scored by itself; see flowbench score --help")
	}
	return []flowcsv.Source{{Name: "-", Path: "standard input", Open: func() (io.ReadCloser, error) { return io.NopCloser(os.Stdin), nil }}}, nil
}

// scoreTo writes the rows to where the flags say.
func scoreTo(c *cli.Context, model *train.Finished, backend kernels.Backend, in score.Input, opt score.Options) (*score.Summary, error) {
	path, follow := c.String("out"), c.Bool("follow")
	var to io.Writer = c.App.Writer
	commit := func() error { return nil }
	switch {
	case path != "" && follow:
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
		if err != nil {
			return nil, fmt.Errorf("--out: %w", err)
		}
		to, commit = f, f.Close
	case path != "":
		out, err := score.CreateOutput(path)
		if err != nil {
			return nil, err
		}
		defer out.Close()
		to, commit = out, out.Commit
	}
	w, err := score.NewWriter(c.String("format"), to, in, model.Model, follow)
	if err != nil {
		return nil, err
	}
	summary, err := score.Run(c.Context, model, backend, in, w, opt)
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing rows: %w", err)
	}
	return summary, commit()
}

// printScores prints the summary.
func printScores(c *cli.Context, s *score.Summary) error {
	if !c.Bool("json") {
		return s.Write(c.App.ErrWriter)
	}
	to := c.App.ErrWriter
	if c.String("out") != "" {
		to = c.App.Writer
	}
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
