package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func readme(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestREADMEShowsTheDemoSpec(t *testing.T) {
	spec, err := os.ReadFile("experiments/demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readme(t), "```yaml\n"+string(spec)+"```") {
		t.Error("README.md does not show experiments/demo.yaml as it is")
	}
}

// TestREADMEListsTheCommands holds the table of commands against the program, both ways.
func TestREADMEListsTheCommands(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `flowbench ([a-z ]+)").FindAllStringSubmatch(readme(t), -1) {
		listed[strings.TrimSpace(m[1])] = true
	}
	there := map[string]bool{}
	for _, c := range commands() {
		if actsItself(c) {
			there[c.Name] = true
		}
		for _, sub := range c.Subcommands {
			there[c.Name+" "+sub.Name] = true
		}
	}
	for name := range listed {
		if !there[name] {
			t.Errorf("README.md lists %q, which is no command", name)
		}
	}
	for name := range there {
		if !listed[name] {
			t.Errorf("README.md does not list %q", name)
		}
	}
}

func TestREADMEFlagsExist(t *testing.T) {
	flags := map[string]bool{"--help": true}
	var gather func([]*cli.Command)
	gather = func(all []*cli.Command) {
		for _, c := range all {
			for _, f := range c.Flags {
				flags["--"+f.Names()[0]] = true
			}
			gather(c.Subcommands)
		}
	}
	gather(commands())
	for _, flag := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(readme(t), -1) {
		if !flags[flag] {
			t.Errorf("README.md shows %s, which no command has", flag)
		}
	}
}
