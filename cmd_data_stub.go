package main

import "github.com/urfave/cli/v2"

func inspectCommand() *cli.Command { return &cli.Command{Name: "inspect"} }
func verifyCommand() *cli.Command  { return &cli.Command{Name: "verify"} }
