package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

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
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "attempts", Usage: "list every attempt at every trial: who made it, and how it ended"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line of the table"},
		},
		Subcommands: []*cli.Command{whyCommand()},
		Action:      runRuns,
	}
}

func runRuns(c *cli.Context) error {
	list := listTrials
	switch {
	case c.NArg() > 1:
		return usageError("runs takes one study at most; see flowbench runs --help")
	case c.Bool("attempts") && c.NArg() == 0:
		return usageError("runs --attempts needs the folder of a study; see flowbench runs --help")
	case c.NArg() == 0:
		return listStudies(c)
	case c.Bool("attempts"):
		list = listAttempts
	}
	st, err := study.Open(c.Args().First())
	if err != nil {
		return err
	}
	defer st.Close()
	return list(c, st)
}

// studyRow is a study in the list of studies.
type studyRow struct {
	Study          string `json:"study"`
	Trials         int    `json:"trials"`
	Ended          int    `json:"ended"`
	Configurations int    `json:"configurations"`
	Error          string `json:"error,omitempty"` // of one that cannot be read
}

func listStudies(c *cli.Context) error {
	found, err := filepath.Glob(filepath.Join("runs", "*", "study.json"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("no study below runs/; flowbench sweep SPEC makes one")
	}
	rows := newRows(c, "study\ttrials\tended\tconfigurations")
	for _, path := range found {
		r := describe(c, filepath.Dir(path))
		line := fmt.Sprintf("%s\t%d\t%d\t%d", r.Study, r.Trials, r.Ended, r.Configurations)
		if r.Error != "" {
			line = fmt.Sprintf("%s\tunreadable: %s", r.Study, r.Error)
		}
		rows.add(r, line)
	}
	return rows.end()
}

func describe(c *cli.Context, dir string) studyRow {
	r := studyRow{Study: dir}
	st, err := study.Open(dir)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer st.Close()
	p, err := st.Progress(c.Context)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.Trials, r.Ended, r.Configurations = len(p.Trials), p.Ended(), len(st.Plan.Configurations)
	return r
}

// trialRow is a trial in the list of a study's trials.
type trialRow struct {
	Trial     int    `json:"trial"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Epochs    int    `json:"epochs"`
	MaxEpochs int    `json:"max_epochs"` // 0 for a baseline
	Reason    string `json:"reason"`
}

func listTrials(c *cli.Context, st *study.Study) error {
	p, err := st.Progress(c.Context)
	if err != nil {
		return err
	}
	rows := newRows(c, "trial\tconfiguration, replicate\tstate\tepochs\treason")
	for _, t := range p.Trials {
		epochs := "-"
		if t.MaxEpochs > 0 {
			epochs = fmt.Sprintf("%d/%d", t.Epochs, t.MaxEpochs)
		}
		rows.add(trialRow{t.Index, t.Name, string(t.State), t.Epochs, t.MaxEpochs, t.Reason},
			fmt.Sprintf("%04d\t%s\t%s\t%s\t%s", t.Index, t.Name, t.State, epochs, t.Reason))
	}
	return rows.end()
}

// attemptRow is an attempt in the list of a study's attempts.
type attemptRow struct {
	Trial   int       `json:"trial"`
	Attempt int       `json:"attempt"`
	State   string    `json:"state"`
	Worker  string    `json:"worker"`
	Started time.Time `json:"started"`
	Heard   time.Time `json:"heard"`
	Reason  string    `json:"reason"`
}

func listAttempts(c *cli.Context, st *study.Study) error {
	rows := newRows(c, "trial\tattempt\tstate\tworker\tstarted\tlast heard of\treason")
	for i := range st.Plan.Trials {
		attempts, err := st.Store.Attempts(c.Context, i)
		if err != nil {
			return err
		}
		for _, a := range attempts {
			rows.add(attemptRow{i, a.Attempt, string(a.State), a.Worker, a.Started.UTC(), a.Heard.UTC(), a.Reason},
				fmt.Sprintf("%04d\t%d\t%s\t%s\t%s\t%s\t%s", i, a.Attempt, a.State, a.Worker,
					a.Started.Format(time.DateTime), a.Heard.Format(time.DateTime), a.Reason))
		}
	}
	return rows.end()
}

// rows prints a table, or with --json an object a line. The first error of JSON
// is kept until the end.
type rows struct {
	table *tabwriter.Writer
	json  *json.Encoder // nil for a table
	err   error
}

func newRows(c *cli.Context, head string) *rows {
	r := &rows{table: tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)}
	if c.Bool("json") {
		r.json = json.NewEncoder(c.App.Writer)
		return r
	}
	fmt.Fprintln(r.table, head)
	return r
}

func (r *rows) add(object any, line string) {
	if r.json == nil {
		fmt.Fprintln(r.table, line)
		return
	}
	r.err = errors.Join(r.err, r.json.Encode(object))
}

func (r *rows) end() error { return errors.Join(r.err, r.table.Flush()) }
