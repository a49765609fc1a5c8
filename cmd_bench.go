package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
	"flowbench/experiments/report"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure the speed of training, of reading CSV and of the classical detectors on this machine",
		Description: "Does what the rulers, which time other tools, do, so that ratios can be had in one\n" +
			"run on one machine: make bench writes them to BENCH.md.\n\n" +
			"example: flowbench bench step --model dnn --batch 1024",
		Subcommands: []*cli.Command{benchStepCommand(), benchCSVCommand(), benchClassicCommand(), benchGPUCommand()},
	}
}

func dataFlag(what string) cli.Flag {
	return &cli.StringFlag{Name: "data", DefaultText: "made up", Usage: "`folder` of " + what}
}

func rowsFlag() cli.Flag {
	return &cli.IntFlag{Name: "rows", Value: bench.FullRows, Usage: "`number` of rows to make up where there is no --data"}
}

func repeatFlag() cli.Flag {
	return &cli.IntFlag{Name: "repeat", Value: 5, Usage: "`number` of rounds that medians are taken of"}
}

func benchJSONFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object a measurement"}
}

// benchSeed chooses what is made up where there is no --data.
const benchSeed = 7

// loadMatrix is the rulers' matrix in --data, or one made up.
func loadMatrix(c *cli.Context) (*bench.Matrix, error) {
	if dir := c.String("data"); dir != "" {
		return bench.LoadMatrix(dir)
	}
	m := bench.MakeMatrix(c.Int("rows"), benchSeed)
	fmt.Fprintf(c.App.ErrWriter, "no --data: measuring on %s of %d × %d\n", m.From, m.Rows, bench.Cols)
	return m, nil
}

// checkBench makes sure that a bench command has no arguments and that its
// numbers are ones.
func checkBench(c *cli.Context, atLeast map[string]int) error {
	if c.NArg() != 0 {
		return usageError(fmt.Sprintf("%s takes no arguments; see %s --help", called(c), c.Command.HelpName))
	}
	for _, name := range c.FlagNames() {
		least, checked := atLeast[name]
		values := c.IntSlice(name)
		if v, ok := c.Value(name).(int); ok {
			values = []int{v}
		}
		for _, v := range values {
			if checked && v < least {
				return usageError(fmt.Sprintf("--%s %d: at least %d is needed", name, v, least))
			}
		}
	}
	return nil
}

// measuring shows the progress of measurements until done is called.
func measuring(c *cli.Context) (show bench.Progress, done func()) {
	count := report.NewCount(c.App.ErrWriter, isTerminal(c.App.ErrWriter))
	return count.Show, count.Close
}

// interrupted says of a measurement that ended with its context that it did.
func interrupted(c *cli.Context, err error) error {
	if err != nil && c.Context.Err() != nil {
		return errors.New("interrupted; nothing was measured to its end")
	}
	return err
}

// allThreads is one thread and, where there are more, as many as processors.
func allThreads() []int {
	if n := runtime.NumCPU(); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}
