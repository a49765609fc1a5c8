package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"flowbench/data/suggest"
	"flowbench/experiments/bench"
	"flowbench/kernels/cpu"
)

func benchStepCommand() *cli.Command {
	return &cli.Command{
		Name:  "step",
		Usage: "time training steps of the DNN 78-128-64-32-1 and the autoencoder 78-64-32-16-32-64-78",
		Description: "Adam, ReLU, balanced class weights; each batch is gathered by index. --data is a\n" +
			"folder of S.npy (rows × 78 float32, standardised) and y.npy. --growth times DNNs of\n" +
			"three hidden layers of one width instead, on the largest number of threads.\n\n" +
			"example: flowbench bench step --model dnn --batch 1024 --json\n" +
			"example: flowbench bench step --growth --plot growth.svg",
		Flags: []cli.Flag{
			dataFlag("S.npy and y.npy"), rowsFlag(),
			&cli.StringSliceFlag{Name: "model", DefaultText: "all", Usage: "`model`: " + strings.Join(bench.Works(), " or ") + "; may be repeated"},
			&cli.IntSliceFlag{Name: "batch", DefaultText: "256, 1024 and 8192; with --growth 64 to 65536", Usage: "`rows` of a batch; may be repeated"},
			&cli.IntSliceFlag{Name: "threads", DefaultText: "1 and all", Usage: "`number` of threads; may be repeated"},
			&cli.IntFlag{Name: "processes", Value: 2, Usage: "train with this `number` of processes at once too, one thread each; 0 does not"},
			repeatFlag(),
			&cli.DurationFlag{Name: "during", Value: time.Second, Usage: "`time` of one measurement"},
			&cli.BoolFlag{Name: "growth", Usage: "time widths 32 to 512 with batches 64 to 65536"},
			&cli.IntSliceFlag{Name: "width", DefaultText: "32, 64, 128, 256 and 512", Usage: "`width` of the hidden layers, with --growth; may be repeated"},
			&cli.StringFlag{Name: "plot", Usage: "draw what --growth finds into `file`, which ends in " + strings.Join(bench.PlotFormats, ", ")},
			&cli.StringFlag{Name: "profile", Usage: "write a CPU profile of all that is measured to `file`"},
			simdFlag(), benchJSONFlag(),
			&cli.BoolFlag{Name: "when-told", Hidden: true, Usage: "say ready and wait for a line before measuring"},
		},
		Action: runBenchStep,
	}
}

func runBenchStep(c *cli.Context) error {
	if err := checkStep(c); err != nil {
		return err
	}
	backend, err := chooseLevel(c.String("simd"), cpu.Open)
	if err != nil {
		return err
	}
	cases, err := stepCases(c)
	if err != nil {
		return err
	}
	stop, err := profileTo(c.String("profile"))
	if err != nil {
		return err
	}
	defer stop()
	matrix, err := loadMatrix(c)
	if err != nil {
		return err
	}
	if c.Bool("when-told") {
		if err := bench.Await(os.Stdin, c.App.Writer); err != nil {
			return err
		}
	}
	show, done := measuring(c)
	steps := &bench.Steps{
		Backend: backend, Matrix: matrix, Cases: cases, Rounds: c.Int("repeat"), During: c.Duration("during"), Progress: show,
		Processes: func(ctx context.Context, one bench.StepCase) (float64, error) { return together(ctx, c, one) },
	}
	results, err := steps.Run(c.Context)
	done()
	if err != nil {
		return interrupted(c, err)
	}
	return printSteps(c, results)
}

// checkStep finds wrong use before anything is read.
func checkStep(c *cli.Context) error {
	if err := checkBench(c, map[string]int{"rows": 2, "batch": 1, "threads": 1, "processes": 0, "repeat": 1, "width": 1}); err != nil {
		return err
	}
	for _, model := range c.StringSlice("model") {
		if !slices.Contains(bench.Works(), model) {
			return usageError(fmt.Sprintf("--model %s is none that there is: write %s%s", model, strings.Join(bench.Works(), " or "), suggest.DidYouMean(model, bench.Works())))
		}
	}
	if c.Duration("during") <= 0 {
		return usageError(fmt.Sprintf("--during %v: more than nothing is needed, such as 500ms", c.Duration("during")))
	}
	plot := c.String("plot")
	switch {
	case !c.Bool("growth") && (plot != "" || c.IsSet("width")):
		return usageError("--plot and --width are for --growth")
	case c.Bool("growth") && c.IsSet("model"):
		return usageError("--growth has networks of its own: leave --model out")
	case plot != "" && !slices.Contains(bench.PlotFormats, filepath.Ext(plot)):
		return usageError(fmt.Sprintf("--plot %s: a plot's name ends in %s", plot, strings.Join(bench.PlotFormats, ", ")))
	}
	return nil
}

// stepCases are what the flags ask to measure.
func stepCases(c *cli.Context) ([]bench.StepCase, error) {
	threads := orElse(c.IntSlice("threads"), allThreads())
	if c.Bool("growth") {
		widths := orElse(c.IntSlice("width"), []int{32, 64, 128, 256, 512})
		batches := orElse(c.IntSlice("batch"), []int{64, 256, 1024, 4096, 16384, 65536})
		return bench.Growth(widths, batches, slices.Max(threads)), nil
	}
	batches := orElse(c.IntSlice("batch"), []int{256, 1024, 8192})
	var cases []bench.StepCase
	for _, work := range orElse(c.StringSlice("model"), bench.Works()) {
		network, err := bench.NetworkOf(work)
		if err != nil {
			return nil, err
		}
		for _, batch := range batches {
			for _, n := range threads {
				cases = append(cases, bench.StepCase{Network: network, Batch: batch, Threads: n})
			}
		}
		if n := c.Int("processes"); n > 0 && work == "dnn" { // what the ruler does so
			cases = append(cases, bench.StepCase{Network: network, Batch: batches[len(batches)/2], Threads: 1, Processes: n})
		}
	}
	return cases, nil
}

func orElse[T any](given, otherwise []T) []T {
	if len(given) > 0 {
		return given
	}
	return otherwise
}

// together measures a case in processes of this program that run at once.
func together(ctx context.Context, c *cli.Context, one bench.StepCase) (float64, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := []string{
		program, "bench", "step", "--json", "--when-told", "--processes", "0", "--repeat", "1",
		"--model", one.Network.Work, "--batch", fmt.Sprint(one.Batch), "--threads", fmt.Sprint(one.Threads),
		"--during", c.Duration("during").String(), "--simd", c.String("simd"),
		"--data", c.String("data"), "--rows", fmt.Sprint(c.Int("rows")),
	}
	return bench.Together(ctx, one.Processes, command, []string{fmt.Sprintf("GOMAXPROCS=%d", one.Threads)})
}

func printSteps(c *cli.Context, results []bench.StepResult) error {
	if plot := c.String("plot"); plot != "" {
		if err := bench.PlotGrowth(plot, results); err != nil {
			return err
		}
	}
	switch {
	case c.Bool("json"):
		return bench.WriteJSON(c.App.Writer, results)
	case c.Bool("growth"):
		return bench.WriteGrowth(c.App.Writer, results)
	}
	return bench.WriteSteps(c.App.Writer, results)
}

// profileTo writes a CPU profile to path, where there is one, until stop is called.
func profileTo(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("--profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
