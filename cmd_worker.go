package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/study"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "claim trials of a study and train them until none is left",
		Description: "A sweep starts its workers itself; start more by hand to help it.\n\n" +
			"example: flowbench worker --store runs/demo",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "store", Usage: "`folder` of the study; cannot be left out"},
			&cli.StringFlag{Name: "name", DefaultText: "made from host and process", Usage: "`name` that claims are made under"},
			&cli.BoolFlag{Name: "while-stdin-open", Usage: "stop when standard input ends, as it does when the sweep that holds it is killed"},
			&cli.StringFlag{Name: "device", Value: "cpu", Usage: "`device` to train on: cpu, cuda or cuda:0"},
			&cli.IntFlag{Name: "slots", DefaultText: "one on the cpu, one a multiprocessor on a GPU", Usage: "`number` of trials to train at once"},
			simdFlag(),
		},
		Action: runWorker,
	}
}

func runWorker(c *cli.Context) error {
	if c.NArg() != 0 || c.String("store") == "" {
		return usageError("worker needs --store and the folder of a study, and takes no arguments; see flowbench worker --help")
	}
	if c.IsSet("slots") && c.Int("slots") < 1 {
		return usageError(fmt.Sprintf("--slots %d: at least one is needed", c.Int("slots")))
	}
	backend, slots, closeDevice, err := workerBackend(c)
	if err != nil {
		return err
	}
	defer closeDevice()
	if n := c.Int("slots"); n > 0 {
		slots = n
	}
	st, err := study.Open(c.String("store"))
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	name := c.String("name")
	if name == "" {
		name = study.WorkerName(0, 0)
	}
	if c.Bool("while-stdin-open") {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	w := &study.Worker{Study: st, Name: name, Backend: backend, Slots: slots}
	err = w.Work(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("worker stopped; its trial, if it had one, goes back to the plan")
	}
	return err
}
