package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"flowbench/experiments/compare"
	"flowbench/experiments/report"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/experiments/study"
)

func setFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name:  "set",
		Usage: "let `key=value` take the place of what the spec says, such as optimizer.learning_rate=1e-3",
	}
}

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:      "sweep",
		Usage:     "train every configuration of a spec and compare them; the same command again resumes it",
		ArgsUsage: "SPEC",
		Description: "Writes the plan first, then trains its trials in worker processes. Whatever is\n" +
			"killed, the same command finishes the trials that are missing.\n\n" +
			"example: flowbench sweep experiments/demo.yaml --workers 2",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", DefaultText: "runs/ and the spec's name", Usage: "`folder` of the study"},
			&cli.IntFlag{Name: "workers", DefaultText: "one a processor, at most one a trial", Usage: "`number` of worker processes"},
			&cli.BoolFlag{Name: "retry-failed", Usage: "train the trials again that failed before"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the plan and write nothing; with --json, as JSON"},
			&cli.BoolFlag{Name: "json", Usage: "print the comparison as one JSON object a configuration"},
			setFlag(), deviceFlag(), simdFlag(),
		},
		Action: runSweep,
	}
}

func runSweep(c *cli.Context) error {
	s, err := loadSpec(c)
	if err != nil {
		return err
	}
	plan, err := study.NewPlan(s)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return printPlan(c, plan)
	}
	return runStudy(c, s, plan, s.Name)
}

// loadSpec reads the spec that the command's only argument names.
func loadSpec(c *cli.Context) (*spec.Spec, error) {
	path, err := oneArgument(c, "a spec")
	if err != nil {
		return nil, err
	}
	return spec.Load(path, c.StringSlice("set")...)
}

// printPlan is what a sweep would do, on the device that it would do it on.
func printPlan(c *cli.Context, plan *study.Plan) error {
	if _, err := chooseDevice(c); err != nil {
		return err
	}
	if c.Bool("json") {
		return plan.WriteJSON(c.App.Writer)
	}
	return plan.Write(c.App.Writer)
}

// runStudy trains what plan lists, in the folder that --out names or else in
// runs/ and name, and prints the comparison.
func runStudy(c *cli.Context, s *spec.Spec, plan *study.Plan, name string) error {
	dir := c.String("out")
	if dir == "" {
		dir = filepath.Join("runs", name)
	}
	if c.IsSet("workers") && c.Int("workers") < 1 {
		return usageError(fmt.Sprintf("--workers %d: at least one is needed", c.Int("workers")))
	}
	chosen, err := chooseDevice(c)
	if err != nil {
		return err
	}
	st, err := study.Create(dir, s, plan)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := prepareStudy(c, st); err != nil {
		if c.Context.Err() == nil {
			err = errors.Join(err, st.Discard())
		}
		return resumable(c, err)
	}
	if c.Bool("retry-failed") {
		n, err := st.RetryFailed(c.Context)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.ErrWriter, "%d failed trials go back to the plan\n", n)
	}
	show := newProgress(c.App.ErrWriter)
	run := &study.Sweep{
		Study: st, Workers: workerCount(c, chosen, len(plan.Trials)), Stderr: show, Watch: show.Show, Pin: chosen.pin,
		Command: slices.Concat([]string{chosen.program, "worker"}, chosen.flags(), []string{"--while-stdin-open", "--store", dir, "--name"}),
	}
	table, err := run.Run(c.Context)
	show.Close()
	if err != nil {
		return resumable(c, err)
	}
	if err := printSweep(c, st, table); err != nil {
		return err
	}
	return failures(table, st.Dir)
}

func prepareStudy(c *cli.Context, st *study.Study) error {
	bytes := report.NewBytes(c.App.ErrWriter, isTerminal(c.App.ErrWriter), "reading flows")
	warnings, err := st.Prepare(c.Context, bytes.Show)
	bytes.Close()
	for _, w := range warnings {
		fmt.Fprintln(c.App.ErrWriter, "note:", w)
	}
	return err
}

func printSweep(c *cli.Context, st *study.Study, table *compare.Table) error {
	if c.Bool("json") {
		return compare.WriteJSON(c.App.Writer, table.Configurations)
	}
	fmt.Fprintln(c.App.Writer)
	if err := table.Write(c.App.Writer); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\nwritten to %s: comparison.txt, comparison.jsonl, data-report.txt, trials/\n", st.Dir)
	return nil
}

// failures is an error where trials failed, whose figures the table lacks.
func failures(table *compare.Table, dir string) error {
	failed, all := 0, 0
	for _, c := range table.Configurations {
		for _, state := range c.States {
			all++
			if state == string(store.Failed) {
				failed++
			}
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d trials failed; flowbench runs %s says why", failed, all, dir)
}

// resumable says of an interruption what brings the sweep to its end.
func resumable(c *cli.Context, err error) error {
	if c.Context.Err() != nil {
		return errors.New("interrupted; nothing is lost: the same command goes on from here")
	}
	return err
}

// workerCount is what --workers says, else one a processor or one a GPU, and never
// more than there are trials.
func workerCount(c *cli.Context, chosen choice, trials int) int {
	n := runtime.NumCPU()
	if len(chosen.gpus) > 0 {
		n = len(chosen.gpus)
	}
	if c.IsSet("workers") {
		n = c.Int("workers")
	}
	return min(n, trials)
}

// progress shows how a sweep goes, and between that what is written to it.
type progress interface {
	io.Writer
	Show(study.Progress)
	Close()
}

// newProgress is bars on a terminal and lines elsewhere.
func newProgress(out io.Writer) progress {
	if isTerminal(out) {
		return report.NewLive(out)
	}
	return report.NewLines(out, time.Now)
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
