package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/suggest"
	"flowbench/experiments/slurm"
	"flowbench/experiments/study"
)

// run does what args, of which the first is the program's name, ask for. Tables
// go to stdout, progress and notices to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	app := newApp()
	app.Writer, app.ErrWriter = stdout, stderr
	return app.RunContext(ctx, flagsFirst(app.Commands, args))
}

func newApp() *cli.App {
	app := &cli.App{
		Name:  "flowbench",
		Usage: "train and compare network intrusion detectors on flow records",
		Description: "Every command says more with --help.\n\n" +
			"example: flowbench sweep experiments/demo.yaml",
		Commands:             commands(),
		Action:               withoutCommand,
		OnUsageError:         wrongUse,
		ExitErrHandler:       func(*cli.Context, error) {}, // main exits
		HideVersion:          true,
		EnableBashCompletion: true,
		// The value of --set is YAML, which has commas of its own.
		DisableSliceFlagSeparator: true,
	}
	for _, c := range app.Commands {
		finish(c)
	}
	return app
}

// finish gives a command and those below it what all of them have in common.
func finish(c *cli.Command) {
	c.OnUsageError = wrongUse
	c.HideHelpCommand = len(c.Subcommands) == 0 // what it would take is an argument
	for _, f := range c.Flags {
		if b, ok := f.(*cli.BoolFlag); ok {
			b.DisableDefaultText = true
		}
	}
	if len(c.Subcommands) > 0 && c.Action == nil {
		c.Action = withoutCommand
	}
	for _, below := range c.Subcommands {
		finish(below)
	}
}

// usageError is wrong use of the command line: exit code 2.
type usageError string

// Error is the text as it was written.
func (e usageError) Error() string { return string(e) }

func exitCode(err error) int {
	var use usageError
	var unknown cli.ExitCoder // made by cli alone, for help on what is no command
	var machine *study.MachineError
	var device *study.DeviceError
	switch {
	case errors.Is(err, study.ErrPreempted):
		return slurm.RequeueExit // of a worker, for its batch script
	case errors.As(err, &use), errors.As(err, &unknown):
		return exitWrongUse
	case errors.As(err, &machine):
		return study.MachineExit // of a worker, for its sweep
	case errors.As(err, &device):
		return study.DeviceExit
	}
	return exitFailed
}

// wrongUse turns what the flag package says into a usageError.
func wrongUse(c *cli.Context, err error, _ bool) error {
	problem := strings.Replace(err.Error(), " -", " --", 1)
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var known []string
		for _, f := range c.Command.Flags {
			known = append(known, "--"+f.Names()[0])
		}
		problem = "unknown flag --" + name + suggest.DidYouMean("--"+name, known)
	}
	return usageError(fmt.Sprintf("%s; see %s --help", problem, c.Command.HelpName))
}

// withoutCommand is what a command does that has others below it, and was given none of them.
func withoutCommand(c *cli.Context) error {
	if c.Command.Name == c.App.Name && c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	var names []string
	for _, known := range c.Command.Subcommands {
		names = append(names, known.Name)
	}
	problem := fmt.Sprintf("%s needs a command: %s", called(c), strings.Join(names, ", "))
	if name := c.Args().First(); name != "" {
		problem = fmt.Sprintf("there is no command %s%s", strings.TrimPrefix(c.Command.HelpName+" "+name, c.App.Name+" "), suggest.DidYouMean(name, names))
	}
	return usageError(fmt.Sprintf("%s; see %s --help", problem, c.Command.HelpName))
}

// called is how the command is typed after the program's name, such as data synth.
func called(c *cli.Context) string {
	return strings.TrimPrefix(c.Command.HelpName, c.App.Name+" ")
}

// oneArgument is the command's only argument, which is what.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", usageError(fmt.Sprintf("%s needs %s as its one argument, got %d; see %s --help", called(c), what, c.NArg(), c.Command.HelpName))
	}
	return c.Args().First(), nil
}

// flagsFirst moves the flags of a command before its arguments, where package
// flag looks for them: people write flowbench sweep SPEC --workers 2. What
// stands behind -- is left alone.
func flagsFirst(commands []*cli.Command, args []string) []string {
	command, rest := leaf(commands, args)
	if command == nil || args[len(args)-1] == "--"+cli.BashCompletionFlag.Names()[0] {
		return args
	}
	flags := append([]string{}, args[:len(args)-len(rest)]...)
	name := flags[:len(flags):len(flags)]
	var arguments []string
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			return append(append(append(flags, word), arguments...), rest...)
		case len(word) < 2 || word[0] != '-':
			arguments = append(arguments, word)
			continue
		}
		if slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(word, "-")) {
			return append(name, word) // with arguments, cli looks for help on the first
		}
		flags = append(flags, word)
		if takesNext(command, word) {
			if len(rest) == 0 {
				return flags // an argument would be taken for the value that is missing
			}
			flags, rest = append(flags, rest[0]), rest[1:]
		}
	}
	return append(flags, arguments...)
}

// leaf is the command that args name, and the words behind its name; nil where
// they name none.
func leaf(commands []*cli.Command, args []string) (command *cli.Command, rest []string) {
	for rest = args[min(1, len(args)):]; len(rest) > 0; rest = rest[1:] {
		var below *cli.Command
		for _, c := range commands {
			if c.HasName(rest[0]) {
				below = c
			}
		}
		if below == nil {
			break
		}
		command, commands = below, below.Subcommands
	}
	return command, rest
}

// takesNext says whether the word behind a flag is its value.
func takesNext(command *cli.Command, word string) bool {
	name := strings.TrimLeft(word, "-")
	for _, f := range command.Flags {
		documented, ok := f.(cli.DocGenerationFlag)
		for _, known := range f.Names() {
			if known == name {
				return ok && documented.TakesValue()
			}
		}
	}
	return false // also for --name=value
}
