package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"flowbench/experiments/page"
	"flowbench/experiments/study"
	"flowbench/train/checkpoint"
)

// writeStudyPage writes the HTML report of studies to path, and says so on out.
// Studies of different flows are refused unless o says otherwise.
func writeStudyPage(ctx context.Context, out io.Writer, dirs []string, path string, o page.Options) error {
	studies, closeAll, err := openStudies(dirs)
	if err != nil {
		return err
	}
	defer closeAll()
	collector := page.NewCollector(studies...)
	collector.Options = o
	document, err := collector.Finished(ctx)
	if err != nil {
		return err
	}
	return writePage(out, document.Title, document, path)
}

// writePage writes a page's file whole or not at all, and says so on out.
func writePage(out io.Writer, title string, document any, path string) error {
	var file bytes.Buffer
	if err := page.Write(&file, title, document); err != nil {
		return err
	}
	if err := checkpoint.WriteFile(path, file.Bytes()); err != nil {
		return fmt.Errorf("report: %w; choose another file with --html", err)
	}
	_, err := fmt.Fprintln(out, "written:", path)
	return err
}

// openStudies opens the studies in dirs; closeAll gives them back.
func openStudies(dirs []string) (studies []*study.Study, closeAll func(), err error) {
	closeAll = func() {
		for _, st := range studies {
			st.Close()
		}
	}
	for _, dir := range dirs {
		st, err := study.Open(dir)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		studies = append(studies, st)
	}
	return studies, closeAll, nil
}
