package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
	"flowbench/kernels/cuda/device"
)

func benchGPUCommand() *cli.Command {
	return &cli.Command{
		Name:  "gpu",
		Usage: "time training steps on an NVIDIA GPU: one trial, and a fleet with one on each multiprocessor",
		Description: "The networks and data of bench step, and the order of an epoch by itself, which the\n" +
			"steps make on the device as they go. Needs flowbench-gpu beside this program\n" +
			"(make gpu), which does the work.\n\n" +
			"example: flowbench bench gpu --batch 1024 --json",
		Flags: []cli.Flag{
			dataFlag("S.npy and y.npy"), rowsFlag(),
			&cli.StringFlag{Name: "device", Value: "cuda:0", Usage: "`device`: cuda:0 is the first GPU"},
			&cli.IntSliceFlag{Name: "batch", DefaultText: "256, 1024 and 8192", Usage: "`rows` of a batch; may be repeated"},
			&cli.IntSliceFlag{Name: "trials", DefaultText: "one a multiprocessor", Usage: "`number` of trials of a fleet; may be repeated"},
			repeatFlag(),
			&cli.DurationFlag{Name: "during", Value: time.Second, Usage: "least `time` of one measurement"},
			benchJSONFlag(),
		},
		Action: runBenchGPU,
	}
}

// inGPUProgram has the program that is built with CUDA do what this one was asked.
func inGPUProgram(c *cli.Context) error {
	program, _, err := findGPUs(c.Context)
	if err != nil {
		return fmt.Errorf("bench gpu: %w", err)
	}
	cmd := exec.CommandContext(c.Context, program, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.App.Writer, c.App.ErrWriter
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Run()
}

func runBenchGPU(c *cli.Context) error {
	if err := checkBench(c, map[string]int{"rows": 2, "batch": 1, "trials": 1, "repeat": 1}); err != nil {
		return err
	}
	ordinal, err := parseDevice(c.String("device"))
	if err != nil {
		return err
	}
	if !device.Built {
		return inGPUProgram(c)
	}
	driver, err := device.Open(max(ordinal, 0))
	if err != nil {
		return err
	}
	defer driver.Close()
	matrix, err := loadMatrix(c)
	if err != nil {
		return err
	}
	trials := orElse(c.IntSlice("trials"), []int{driver.Device().Processors})
	show, done := measuring(c)
	gpu := &bench.GPU{
		Driver: driver, Matrix: matrix, Rounds: c.Int("repeat"), During: c.Duration("during"), Progress: show,
		Cases: bench.GPUCases(orElse(c.IntSlice("batch"), []int{256, 1024, 8192}), trials),
	}
	if c.Bool("json") {
		gpu.Done = func(r bench.GPUResult) error { return bench.WriteJSON(c.App.Writer, []bench.GPUResult{r}) }
	}
	results, err := gpu.Run(c.Context)
	done()
	if !c.Bool("json") && len(results) > 0 {
		err = errors.Join(err, bench.WriteGPU(c.App.Writer, results))
	}
	if err != nil && c.Context.Err() != nil {
		return fmt.Errorf("interrupted; %d of %d cases were measured", len(results), len(gpu.Cases))
	}
	return err
}
