package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/study"
)

func runsCommand() *cli.Command {
	return &cli.Command{
		Name:      "runs",
		Usage:     "list studies, or the trials of one and why each ended as it did",
		ArgsUsage: "[STUDY]",
		Description: "Without an argument it lists the studies below runs/.\n\n" +
			"example: flowbench runs runs/demo",
		Action: runRuns,
	}
}

func runRuns(c *cli.Context) error {
	switch c.NArg() {
	case 0:
		return listStudies(c)
	case 1:
		return listTrials(c, c.Args().First())
	}
	return usageError("runs takes one study at most")
}

func listStudies(c *cli.Context) error {
	found, err := filepath.Glob(filepath.Join("runs", "*", "study.json"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no study below runs/; flowbench sweep SPEC makes one")
	}
	out := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "study\ttrials\tended\tconfigurations")
	for _, path := range found {
		dir := filepath.Dir(path)
		st, err := study.Open(dir)
		if err != nil {
			fmt.Fprintf(out, "%s\tunreadable: %v\n", dir, err)
			continue
		}
		p, err := st.Progress(c.Context)
		st.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\n", dir, len(p.Trials), p.Ended(), len(st.Plan.Configurations))
	}
	return out.Flush()
}

func listTrials(c *cli.Context, dir string) error {
	st, err := study.Open(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	p, err := st.Progress(c.Context)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "trial\tconfiguration, replicate\tstate\tepochs\treason")
	for _, t := range p.Trials {
		epochs := "-"
		if t.MaxEpochs > 0 {
			epochs = fmt.Sprintf("%d/%d", t.Epochs, t.MaxEpochs)
		}
		fmt.Fprintf(out, "%04d\t%s\t%s\t%s\t%s\n", t.Index, t.Name, t.State, epochs, t.Reason)
	}
	return out.Flush()
}
