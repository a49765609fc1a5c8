package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/study"
)

// openNamed opens the study of the spec, or in the folder, that the command names.
func openNamed(c *cli.Context) (*study.Study, error) {
	path, err := oneArgument(c, "a spec or the folder of a study")
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return study.Open(path)
	}
	s, err := loadSpec(c)
	if err != nil {
		return nil, err
	}
	dir := studyFolder(c, s.Name)
	if _, err := os.Stat(filepath.Join(dir, "study.json")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no study of %s: name its folder with --out", dir, path)
	}
	return study.Open(dir)
}

func showStatus(c *cli.Context) error {
	st, err := openNamed(c)
	if err != nil {
		return err
	}
	defer st.Close()
	status, err := st.Status(c.Context, time.Now())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return status.WriteJSON(c.App.Writer)
	}
	return status.Write(c.App.Writer)
}

func cancelStudy(c *cli.Context) error {
	st, err := openNamed(c)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Cancel(c.Context, time.Now()); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s is cancelled: its workers save their trials and end; the sweep's own command goes on with it\n", st.Dir)
	return nil
}
