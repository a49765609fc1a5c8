package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
	"flowbench/experiments/doctor"
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/device"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what this machine computes with, and test that it computes right",
		Description: "Every level of the processor and every GPU trains small networks; their\n" +
			"weights must agree. Exit 1 where one does not.\n\n" +
			"example: flowbench doctor",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a check"},
		},
		Action: runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	if c.NArg() != 0 {
		return usageError("doctor takes no arguments; see flowbench doctor --help")
	}
	checks, err := doctor.CPU(c.Context)
	if err != nil {
		return err
	}
	checks = append(checks, gpuChecks(c)...)
	print := doctor.Write
	if c.Bool("json") {
		print = bench.WriteJSON[doctor.Check]
	}
	if err := print(c.App.Writer, checks); err != nil {
		return err
	}
	if slices.ContainsFunc(checks, func(check doctor.Check) bool { return check.State == doctor.Failed }) {
		return errors.New("what failed above must not be trusted with training")
	}
	return nil
}

// gpuChecks checks the GPUs in this program, or has the one built with CUDA do it.
func gpuChecks(c *cli.Context) []doctor.Check {
	if !device.Built {
		checks, err := askGPUProgram(c.Context)
		if err != nil {
			return []doctor.Check{{Name: "cuda", State: doctor.Absent, Detail: err.Error()}}
		}
		return checks
	}
	devices, err := device.List()
	if err != nil || len(devices) == 0 {
		return []doctor.Check{{Name: "cuda", State: doctor.Absent, Detail: fmt.Sprintf("no GPU: %v", err)}}
	}
	var checks []doctor.Check
	for i, d := range devices {
		checks = append(checks, doctor.GPU(c.Context, d, func() (cuda.Driver, error) { return device.Open(i) }))
	}
	return checks
}
