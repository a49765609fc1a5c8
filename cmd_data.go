package main

import "github.com/urfave/cli/v2"

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:  "data",
		Usage: "make, look at, prepare and verify flow records",
		Subcommands: []*cli.Command{
			synthCommand(), inspectCommand(), prepareCommand(), verifyCommand(),
		},
	}
}
