package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/synth"
)

func synthCommand() *cli.Command {
	return &cli.Command{
		Name:      "synth",
		Usage:     "write synthetic CICIDS2017-style CSV files",
		ArgsUsage: "FOLDER",
		Description: "The flows are synthetic: their statistics follow the real ones, no row does. The\n" +
			"same profile, rows and seed give the same bytes.\n\n" +
			"example: flowbench data synth --profile infiltration --rows 50000 flows/",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "profile", Value: "infiltration", Usage: "`profile`: " + strings.Join(synth.Profiles(), " or ")},
			&cli.IntFlag{Name: "rows", Usage: "`number` of rows over all files (default: the profile's own)"},
			&cli.Uint64Flag{Name: "seed", Value: 7, Usage: "`seed` that chooses the rows"},
		},
		Action: runSynth,
	}
}

func runSynth(c *cli.Context) error {
	dir, err := oneArgument(c, "the folder to write to")
	if err != nil {
		return err
	}
	if c.IsSet("rows") && c.Int("rows") < 1 {
		return usageError(fmt.Sprintf("--rows %d: at least one is needed", c.Int("rows")))
	}
	files, err := synth.Files(synth.Config{Profile: c.String("profile"), Rows: c.Int("rows"), Seed: c.Uint64("seed")})
	if err != nil {
		return usageError(err.Error())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := writeSynthetic(c.Context, path, f); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s  %d rows", path, f.Rows)
		for _, l := range f.Labels {
			fmt.Fprintf(c.App.Writer, "  %s %d", l.Label, l.Rows)
		}
		fmt.Fprintln(c.App.Writer)
	}
	fmt.Fprintln(c.App.Writer, files[0].Notice)
	return nil
}

// writeSynthetic writes f whole, or leaves nothing at path that was not there.
func writeSynthetic(ctx context.Context, path string, f synth.File) (err error) {
	out, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	if err := f.Write(untilDone{ctx, out}); err != nil {
		return err
	}
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// untilDone is a writer that fails when its context has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(p)
}
