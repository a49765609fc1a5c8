package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"flowbench/experiments/compare"
	"flowbench/experiments/report"
	"flowbench/experiments/spec"
	"flowbench/experiments/study"
)

var setFlag = &cli.StringSliceFlag{
	Name:  "set",
	Usage: "let `key=value` take the place of what the spec says, such as optimizer.learning_rate=1e-3",
}

var deviceFlag = &cli.StringFlag{
	Name:  "device",
	Value: "auto",
	Usage: "`auto` or cpu: what trains; auto says what it chose and why",
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
			&cli.StringFlag{Name: "out", Usage: "`folder` of the study (default: runs/ and the spec's name)"},
			&cli.IntFlag{Name: "workers", Usage: "`number` of worker processes (default: one a processor, at most one a trial)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the plan and write nothing"},
			&cli.BoolFlag{Name: "json", Usage: "print the comparison as one JSON object a configuration"},
			setFlag, deviceFlag,
		},
		Action: runSweep,
	}
}

func runSweep(c *cli.Context) error {
	path, err := oneArgument(c, "a spec")
	if err != nil {
		return err
	}
	s, err := spec.Load(path, c.StringSlice("set")...)
	if err != nil {
		return err
	}
	plan, err := study.NewPlan(s)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return plan.Write(c.App.Writer)
	}
	return runStudy(c, s, plan, s.Name)
}

// runStudy trains what plan lists, in the folder that --out names or else in
// runs/ and name, and prints the comparison.
func runStudy(c *cli.Context, s *spec.Spec, plan *study.Plan, name string) error {
	dir := c.String("out")
	if dir == "" {
		dir = filepath.Join("runs", name)
	}
	device, err := chooseDevice(c.String("device"), c.App.ErrWriter)
	if err != nil {
		return err
	}
	st, err := study.Create(dir, s, plan)
	if err != nil {
		return err
	}
	defer st.Close()
	workers, err := workerCount(c, len(st.Plan.Trials))
	if err != nil {
		return err
	}
	if err := prepareStudy(c, st); err != nil {
		return resumable(c, err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	show := newProgress(c.App.ErrWriter)
	run := &study.Sweep{
		Study: st, Workers: workers, Stderr: c.App.ErrWriter, Watch: show.Show,
		Command: []string{program, "worker", "--device", device, "--while-stdin-open", "--store", dir, "--name"},
	}
	table, err := run.Run(c.Context)
	show.Close()
	if err != nil {
		return resumable(c, err)
	}
	return printSweep(c, st, table)
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

// resumable adds to an interruption what brings the sweep to its end.
func resumable(c *cli.Context, err error) error {
	if c.Context.Err() != nil {
		return fmt.Errorf("interrupted; nothing is lost: the same command goes on from here")
	}
	return err
}

func workerCount(c *cli.Context, trials int) (int, error) {
	n := c.Int("workers")
	if c.IsSet("workers") && n < 1 {
		return 0, usageError(fmt.Sprintf("--workers %d: at least one is needed", n))
	}
	if n == 0 {
		n = runtime.NumCPU()
	}
	return min(n, trials), nil
}

// progress shows how a sweep goes.
type progress interface {
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

// chooseDevice says what a wish for a device comes to in this program.
func chooseDevice(wish string, log io.Writer) (string, error) {
	switch wish {
	case "cpu":
		return "cpu", nil
	case "auto":
		fmt.Fprintln(log, "device: cpu (this program is built without CUDA)")
		return "cpu", nil
	}
	return "", usageError(fmt.Sprintf("--device %s: this program is built without CUDA and trains on the cpu; use --device cpu or auto", wish))
}

// oneArgument is the command's only argument, which is what.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", usageError(fmt.Sprintf("%s needs %s as its one argument, got %d; see flowbench %s --help", c.Command.Name, what, c.NArg(), c.Command.Name))
	}
	return c.Args().First(), nil
}
