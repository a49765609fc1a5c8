package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/serve"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "show studies in a browser while they run",
		ArgsUsage: "[STUDY ...]",
		Description: "Without an argument it shows the studies below runs/. It only reads, and ends with Ctrl-C.\n" +
			"On an address that other machines can reach, it lets in who knows its token alone.\n\n" +
			"example: flowbench serve runs/demo",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8177", Usage: "answer on this `ADDRESS`; port 0 takes any that is free"},
			&cli.StringFlag{Name: "token-file", Usage: "take the token from the first line of `FILE` instead of making one"},
		},
		Action: runServe,
	}
}

func runServe(c *cli.Context) error {
	dirs := c.Args().Slice()
	if len(dirs) == 0 {
		found, err := filepath.Glob(filepath.Join("runs", "*", "study.json"))
		if err != nil {
			return err
		}
		for _, path := range found {
			dirs = append(dirs, filepath.Dir(path))
		}
		if len(dirs) == 0 {
			return fmt.Errorf("no study below runs/ to serve; flowbench sweep SPEC makes one")
		}
	}
	studies, closeAll, err := openStudies(dirs)
	if err != nil {
		return err
	}
	defer closeAll()
	token, err := tokenFor(c.String("listen"), c.String("token-file"))
	if err != nil {
		return err
	}
	l, err := serve.Listen(c.String("listen"), token)
	if err != nil {
		return err
	}
	address := "http://" + l.Addr().String() + "/"
	if token != "" {
		address += "?token=" + url.QueryEscape(token)
	}
	fmt.Fprintln(c.App.Writer, "serving on", address)
	return serve.Serve(c.Context, l, serve.Options{Studies: studies, Token: token})
}

// tokenFor is the token of a server on listen: the one in file, or a new one where
// others can reach the address; empty on the loopback.
func tokenFor(listen, file string) (string, error) {
	switch {
	case file != "":
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("serve: --token-file: %w", err)
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		if token := strings.TrimSpace(line); len(token) >= 16 {
			return token, nil
		}
		return "", fmt.Errorf("serve: --token-file: the first line of %s must be a token of 16 characters or more", file)
	case serve.Loopback(listen):
		return "", nil
	}
	return serve.NewToken(), nil
}
