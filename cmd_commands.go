package main

import "github.com/urfave/cli/v2"

// commands lists every command, in the order of --help.
func commands() []*cli.Command {
	return []*cli.Command{
		dataCommand(),
		trainCommand(),
		sweepCommand(),
		workerCommand(),
		runsCommand(),
		compareCommand(),
		scoreCommand(),
		exportCommand(),
		importCommand(),
		serveCommand(),
		benchCommand(),
		doctorCommand(),
	}
}
