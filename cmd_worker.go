package main

import (
	"context"
	"errors"
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
			&cli.StringFlag{Name: "device", Value: "cpu", Usage: "`device` to train on"},
			simdFlag(),
		},
		Action: runWorker,
	}
}

func runWorker(c *cli.Context) error {
	if c.NArg() != 0 || c.String("store") == "" {
		return usageError("worker needs --store and the folder of a study, and takes no arguments; see flowbench worker --help")
	}
	chosen, err := chooseDevice(c)
	if err != nil {
		return err
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
	w := &study.Worker{Study: st, Name: name, Backend: chosen.backend}
	err = w.Work(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("worker stopped; its trial, if it had one, goes back to the plan")
	}
	return err
}
