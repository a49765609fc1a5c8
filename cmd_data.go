package main

import "github.com/urfave/cli/v2"

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:  "data",
		Usage: "make, look at, prepare and verify flow records",
		Description: "What every other command reads: CSV files of flows, or a folder prepared from them.\n\n" +
			"example: flowbench data prepare --out prepared/ flows/*.csv",
		Subcommands: []*cli.Command{
			synthCommand(), inspectCommand(), prepareCommand(), verifyCommand(),
		},
	}
}
