package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/study"
	"flowbench/kernels/cuda"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "claim trials of a study and train them until none is left",
		Description: "A sweep starts its workers itself; start more by hand to help it. On SIGUSR1 a\n" +
			"worker saves its trials at their next step, gives them back, and exits with 75,\n" +
			"which asks whoever started it to start it again.\n\n" +
			"example: flowbench worker --store runs/demo",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "store", Usage: "`folder` of the study; cannot be left out"},
			&cli.StringFlag{Name: "name", DefaultText: "made from host and process", Usage: "`name` that claims are made under"},
			&cli.BoolFlag{Name: "served", Usage: "reach the store through the sweep that serves it, as on another machine"},
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
	say := func(line string) { fmt.Fprintln(c.App.ErrWriter, line) }
	gpus := 0
	if device, ok := backend.(interface{ Device() cuda.Device }); ok {
		gpus = 1
		release, err := study.HoldDevice(c.Context, device.Device().UUID, say)
		if err != nil {
			return err
		}
		defer release()
	}
	if n := c.Int("slots"); n > 0 {
		slots = n
	}
	open := study.Open
	if c.Bool("served") {
		open = study.OpenServed
	}
	st, err := open(c.String("store"))
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
	w := &study.Worker{
		Study: st, Name: name, Backend: backend, Slots: slots, Job: job(), GPUs: gpus,
		Preempt: onSignal(ctx, syscall.SIGUSR1),
		Say:     say,
	}
	err = w.Work(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("worker stopped; its trial, if it had one, goes back to the plan")
	}
	return err
}

// onSignal is closed when the signal comes.
func onSignal(ctx context.Context, signals ...os.Signal) <-chan struct{} {
	came := make(chan os.Signal, 1)
	signal.Notify(came, signals...)
	closed := make(chan struct{})
	go func() {
		defer signal.Stop(came)
		select {
		case <-came:
			close(closed)
		case <-ctx.Done():
		}
	}()
	return closed
}

// job is what Slurm calls this worker; empty outside of Slurm.
func job() string {
	array, task := os.Getenv("SLURM_ARRAY_JOB_ID"), os.Getenv("SLURM_ARRAY_TASK_ID")
	if array == "" {
		return os.Getenv("SLURM_JOB_ID")
	}
	return array + "_" + task
}
