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
		Flags: append(runFlags(),
			&cli.BoolFlag{Name: "dry-run", Usage: "print the plan, its rungs, and what it will cost by a measured epoch; leaves nothing behind; with --json, the plan alone"},
			&cli.BoolFlag{Name: "no-estimate", Usage: "with --dry-run: measure nothing"},
			&cli.BoolFlag{Name: "status", Usage: "say how the study of SPEC, or in the folder that stands in its place, is getting on"},
			&cli.BoolFlag{Name: "cancel", Usage: "stop the study of SPEC, or in the folder that stands in its place: workers save their trials and end"},
			setFlag(),
		),
		Subcommands: []*cli.Command{extendCommand()},
		Action:      runSweep,
	}
}

// runFlags are the flags of a command that runs a study.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", DefaultText: "runs/ and the spec's name", Usage: "`folder` of the study"},
		&cli.IntFlag{Name: "workers", DefaultText: "one a processor, at most one a trial", Usage: "`number` of worker processes"},
		&cli.StringFlag{Name: "store", DefaultText: "SQLite in the study's folder", Usage: "`URL` of a store elsewhere: postgres://user@host/database; its password comes from PGPASSWORD or ~/.pgpass"},
		&cli.BoolFlag{Name: "slurm", Usage: "submit the workers to Slurm, as sweep.slurm of the spec says, and watch them"},
		&cli.StringFlag{Name: "serve", DefaultText: "this machine's name and any port", Usage: "with --slurm and a store in the folder: `address` to serve it at"},
		&cli.BoolFlag{Name: "detach", Usage: "with --slurm and --store: end when the workers are submitted"},
		&cli.BoolFlag{Name: "retry-failed", Usage: "train the trials again that failed before"},
		&cli.BoolFlag{Name: "json", Usage: "print the comparison as one JSON object a configuration"},
		deviceFlag(), simdFlag(),
	}
}

func runSweep(c *cli.Context) error {
	switch {
	case c.Bool("status"):
		return showStatus(c)
	case c.Bool("cancel"):
		return cancelStudy(c)
	}
	s, err := loadSpec(c)
	if err != nil {
		return err
	}
	plan, err := study.NewPlan(s)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return printPlan(c, s, plan)
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
func printPlan(c *cli.Context, s *spec.Spec, plan *study.Plan) error {
	chosen, err := chooseDevice(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return plan.WriteJSON(c.App.Writer)
	}
	if err := plan.Write(c.App.Writer); err != nil || c.Bool("no-estimate") {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "measuring one epoch; --no-estimate leaves that out")
	estimate, err := study.NewEstimate(c.Context, s, plan, chosen.backend)
	if err != nil {
		return err
	}
	return estimate.Write(c.App.Writer, workerCount(c, chosen, len(plan.Trials)), studyFolder(c, s.Name))
}

// studyFolder is the folder that --out names, or else one below runs/.
func studyFolder(c *cli.Context, name string) string {
	if dir := c.String("out"); dir != "" {
		return dir
	}
	return filepath.Join("runs", name)
}

// runStudy trains what plan lists, in the folder that --out names or else in
// runs/ and name, and prints the comparison.
func runStudy(c *cli.Context, s *spec.Spec, plan *study.Plan, name string) error {
	if err := checkRunFlags(c); err != nil {
		return err
	}
	chosen, err := chooseDevice(c)
	if err != nil {
		return err
	}
	st, err := study.Create(studyFolder(c, name), s, plan, c.String("store"))
	if err != nil {
		return err
	}
	defer st.Close()
	return goOn(c, st, chosen)
}

func checkRunFlags(c *cli.Context) error {
	switch {
	case c.IsSet("workers") && c.Int("workers") < 1:
		return usageError(fmt.Sprintf("--workers %d: at least one is needed", c.Int("workers")))
	case c.IsSet("workers") && c.Bool("slurm"):
		return usageError("--workers is for this machine: with --slurm write sweep.slurm.workers in the spec")
	case c.IsSet("serve") && !c.Bool("slurm"):
		return usageError("--serve is for the workers of --slurm")
	case c.IsSet("serve") && c.IsSet("store"):
		return usageError("--serve serves the store in the study's folder, --store is one elsewhere: keep one")
	case c.Bool("detach") && !(c.Bool("slurm") && c.IsSet("store")):
		return usageError("--detach needs --slurm, and --store for a store that is there without this process")
	}
	return nil
}

// goOn trains what is left of a study and prints the comparison.
func goOn(c *cli.Context, st *study.Study, chosen choice) error {
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
	table, err := trainStudy(c, st, chosen, show)
	show.Close()
	var stopped *store.StoppedError
	if err != nil && !errors.As(err, &stopped) {
		return resumable(c, err)
	}
	if table == nil {
		return nil // detached
	}
	if err := printSweep(c, st, table); err != nil {
		return err
	}
	if stopped != nil && stopped.Control.Kind != study.StopBudget {
		return stopped
	}
	if stopped != nil {
		fmt.Fprintln(c.App.ErrWriter, "note:", stopped)
	}
	return failures(table, st.Dir)
}

// trainStudy trains in worker processes of this machine, or, with --slurm, of a
// cluster.
func trainStudy(c *cli.Context, st *study.Study, chosen choice, show progress) (*compare.Table, error) {
	worker := slices.Concat([]string{chosen.program, "worker"}, chosen.flags())
	if !c.Bool("slurm") {
		run := &study.Sweep{
			Study: st, Workers: workerCount(c, chosen, len(st.Plan.Trials)), Stderr: show, Watch: show.Show, Pin: chosen.pin,
			Command: slices.Concat(worker, []string{"--while-stdin-open", "--store", st.Dir, "--name"}),
		}
		return run.Run(c.Context)
	}
	dir, err := filepath.Abs(st.Dir)
	if err != nil {
		return nil, err
	}
	serve := c.String("serve")
	if serve == "" && !c.IsSet("store") && !st.Elsewhere() {
		if serve, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("--serve: %w; name the address by which the cluster's nodes reach this machine", err)
		}
		serve += ":0"
	}
	run := &study.Cluster{
		Study: st, Command: append(worker, "--store", dir), Serve: serve, Detach: c.Bool("detach"), Say: show, Watch: show.Show,
	}
	return run.Run(c.Context)
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
// more than there are trials, or GPUs: a GPU has one worker, which trains as many
// trials at once as fit.
func workerCount(c *cli.Context, chosen choice, trials int) int {
	n := runtime.NumCPU()
	if c.IsSet("workers") {
		n = c.Int("workers")
	}
	if gpus := len(chosen.gpus); gpus > 0 && (n > gpus || !c.IsSet("workers")) {
		n = gpus
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
