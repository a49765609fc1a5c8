// Command flowbench trains and compares network intrusion detectors.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

// Exit codes: done, failed, wrong use.
const (
	exitFailed   = 1
	exitWrongUse = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newApp().RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "flowbench:", err)
		os.Exit(exitCode(err))
	}
}

func newApp() *cli.App {
	return &cli.App{
		Name:                   "flowbench",
		Usage:                  "train and compare network intrusion detectors on flow records",
		Commands:               commands(),
		ExitErrHandler:         func(*cli.Context, error) {},
		UseShortOptionHandling: true,
		HideVersion:            true,
		Suggest:                true,
		OnUsageError:           func(_ *cli.Context, err error, _ bool) error { return usageError(err.Error()) },
		CommandNotFound:        nil,
		EnableBashCompletion:   true,
	}
}

// usageError is wrong use of the command line: exit code 2.
type usageError string

func (e usageError) Error() string { return string(e) }

func exitCode(err error) int {
	var use usageError
	if errors.As(err, &use) {
		return exitWrongUse
	}
	return exitFailed
}
