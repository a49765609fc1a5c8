package verify

import (
	"fmt"
	"io"
	"strings"

	"flowbench/data/table"
)

// WriteText prints a line a file, then both values of whatever differs, for a
// terminal of 100 columns. It returns the first error of w.
func (r Report) WriteText(w io.Writer) error {
	t := table.New(table.Left("file"), table.Left("status"), table.Right("bytes"), table.Left("sha256"))
	for _, f := range r.Files {
		if f.Status == Missing {
			t.Row(f.Name, string(f.Status), "", "")
			continue
		}
		t.Row(f.Name, string(f.Status), table.Count(f.GotBytes), f.GotSHA256[:min(12, len(f.GotSHA256))]+"…")
	}
	if err := t.Write(w, ""); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.remarks())
	return err
}

func (r Report) remarks() string {
	var out strings.Builder
	missing := 0
	for _, f := range r.Files {
		switch f.Status {
		case Missing:
			missing++
		case Mismatch:
			fmt.Fprintf(&out, "\nwarning: %s is not the published file\n", f.Path)
			if f.GotBytes != f.Bytes {
				fmt.Fprintf(&out, "  bytes      %s, published %s\n", table.Count(f.GotBytes), table.Count(f.Bytes))
			}
			fmt.Fprintf(&out, "  sha256     %s\n  published  %s\n", f.GotSHA256, f.SHA256)
		}
	}
	if missing > 0 {
		fmt.Fprintf(&out, "\n%d of %d files are missing from %s\n", missing, len(r.Files), r.Folder)
	}
	if len(r.Others) > 0 {
		fmt.Fprintf(&out, "\nnot part of the download:\n  %s\n", strings.Join(r.Others, "\n  "))
	}
	if r.OK() {
		fmt.Fprintf(&out, "\nall %d files are as published\n", len(r.Files))
	}
	return out.String()
}
