package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
)

func benchCSVCommand() *cli.Command {
	return &cli.Command{
		Name:  "csv",
		Usage: "time reading CSV files into a prepared set",
		Description: "Reads flows.csv, or else every CSV, of --data into a set in a temporary folder, each\n" +
			"time in a process of its own: time, peak memory, size, and the time to open it.\n\n" +
			"example: flowbench bench csv --rows 100000",
		Flags: []cli.Flag{
			dataFlag("flows.csv"), rowsFlag(), repeatFlag(), benchJSONFlag(),
			&cli.BoolFlag{Name: "alone", Hidden: true, Usage: "measure once, in this process"},
		},
		Action: runBenchCSV,
	}
}

func runBenchCSV(c *cli.Context) error {
	if err := checkBench(c, map[string]int{"rows": 1, "repeat": 1}); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "flowbench-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if c.Bool("alone") {
		return prepareAlone(c, c.String("data"), filepath.Join(work, "prepared"))
	}
	dir, made := c.String("data"), false
	if dir == "" {
		dir, made = work, true
		fmt.Fprintf(c.App.ErrWriter, "no --data: measuring on %d synthetic rows (seed %d)\n", c.Int("rows"), benchSeed)
		if err := bench.WriteSynthetic(c.Context, dir, c.Int("rows"), benchSeed); err != nil {
			return interrupted(c, err)
		}
	}
	r, err := measureCSV(c, dir)
	if err != nil {
		return interrupted(c, err)
	}
	r.Synthetic = made
	if c.Bool("json") {
		return bench.WriteJSON(c.App.Writer, []bench.CSVResult{r})
	}
	return bench.WriteCSV(c.App.Writer, r)
}

// measureCSV prepares the CSVs in dir once a round.
func measureCSV(c *cli.Context, dir string) (bench.CSVResult, error) {
	sources, err := bench.CSVSources(dir)
	if err != nil {
		return bench.CSVResult{}, err
	}
	show, done := measuring(c)
	defer done()
	var rounds []bench.CSVResult
	for round := range c.Int("repeat") {
		show(round, c.Int("repeat"), "csv")
		if err := bench.Warm(c.Context, sources); err != nil {
			return bench.CSVResult{}, err
		}
		r, err := prepareElsewhere(c.Context, dir)
		if err != nil {
			return bench.CSVResult{}, err
		}
		rounds = append(rounds, r)
	}
	return bench.MedianCSV(rounds), nil
}

// prepareElsewhere is prepareAlone in another process, whose memory is its own.
func prepareElsewhere(ctx context.Context, dir string) (r bench.CSVResult, err error) {
	program, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, program, "bench", "csv", "--alone", "--json", "--data", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it has a folder to remove
	cmd.WaitDelay = 10 * time.Second
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return r, errors.Join(fmt.Errorf("preparing in another process: %w", err), errors.New(log.String()))
	}
	return r, json.Unmarshal(out.Bytes(), &r)
}

// prepareAlone measures once what is in from, and leaves nothing at to.
func prepareAlone(c *cli.Context, from, to string) error {
	sources, err := bench.CSVSources(from)
	if err != nil {
		return err
	}
	r, err := bench.Prepare(c.Context, sources, to, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	return bench.WriteJSON(c.App.Writer, []bench.CSVResult{r})
}
