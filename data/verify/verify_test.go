package verify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// folder makes a folder with the given files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func file(name, text string) File {
	return File{Name: name, Bytes: int64(len(text)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
}

func TestEachFileIsOKMissingOrMismatched(t *testing.T) {
	dir := folder(t, map[string]string{
		"monday.PCAP_ISCX.csv":  "one",
		"Tuesday.csv":           "two",
		"Friday.pcap_ISCX.csv":  "threE",
		"Friday-DDos (old).csv": "four",
		"Thursday-Am.x.csv":     "six", // two that begin alike: neither is taken
		"Thursday-Am.y.csv":     "six",
		"notes.txt":             "not a CSV",
	})
	want := []File{file("Monday", "one"), file("Tuesday", "too"), file("Friday", "three"), file("Friday-DDos", "four"), file("Thursday-Am", "six"), file("Saturday", "five")}
	r, err := compare(context.Background(), dir, want, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, status := range []Status{OK, Mismatch, Mismatch, OK, Missing, Missing} {
		if r.Files[i].Status != status {
			t.Errorf("%s: %s, want %s (%+v)", want[i].Name, r.Files[i].Status, status, r.Files[i])
		}
	}
	want[0].Bytes++ // a published size that does not go with its checksum
	if r, err := compare(context.Background(), dir, want[:1], nil); err != nil || r.Files[0].Status != Mismatch {
		t.Errorf("a wrong size went unnoticed: %+v, %v", r, err)
	}
	if f := r.Files[2]; f.GotBytes != 5 || f.GotSHA256 != file("", "threE").SHA256 || filepath.Base(f.Path) != "Friday.pcap_ISCX.csv" {
		t.Errorf("mismatch without its values: %+v", f)
	}
	if !slices.Equal(r.Others, []string{"Thursday-Am.x.csv", "Thursday-Am.y.csv"}) {
		t.Errorf("others: %q", r.Others)
	}
	if r.OK() {
		t.Error("a report with missing files is OK")
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{file("", "two").SHA256, file("", "too").SHA256, "2 of 6 files are missing", "Thursday-Am.y.csv", "mismatch"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not in the report:\n%s", text, out.String())
		}
	}
}

func TestAnExactNameWinsOverALongerOne(t *testing.T) {
	dir := folder(t, map[string]string{
		"Thursday-Infilteration.attacks.pcap_ISCX.csv": "36 rows",
		"Thursday-Infilteration.pcap_ISCX.csv":         "all",
	})
	r, err := compare(context.Background(), dir, []File{file("Thursday-Infilteration", "all")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || !slices.Equal(r.Others, []string{"Thursday-Infilteration.attacks.pcap_ISCX.csv"}) {
		t.Errorf("got %+v", r)
	}
}

func TestProgressCountsAllBytesOfAllFiles(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	dir := folder(t, map[string]string{"a.csv": long, "b.csv": "12345"})
	var last, calls int64
	r, err := compare(context.Background(), dir, []File{file("a", long), file("b", "12345")}, func(name string, done, total int64) {
		if done < last || total != 3<<20+5 || name != "a.csv" && name != "b.csv" {
			t.Errorf("%s: %d of %d after %d", name, done, total, last)
		}
		last = done
		calls++
	})
	if err != nil || !r.OK() {
		t.Fatal(r, err)
	}
	if last != 3<<20+5 || calls < 4 {
		t.Errorf("ended at %d after %d calls", last, calls)
	}
}

func TestCancelStopsWithinAFile(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	long := strings.Repeat("x", 3<<20)
	dir := folder(t, map[string]string{"a.csv": long})
	calls := 0
	_, err := compare(ctx, dir, []File{file("a", long)}, func(string, int64, int64) {
		calls++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%d reads, error %v", calls, err)
	}
}

func TestUnreadableFoldersAndFilesAreErrors(t *testing.T) {
	if _, err := Folder(context.Background(), filepath.Join(t.TempDir(), "nowhere"), nil); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("missing folder: %v", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a.csv")); err != nil {
		t.Fatal(err)
	}
	if _, err := compare(context.Background(), dir, []File{{Name: "a"}}, nil); err == nil || !strings.Contains(err.Error(), "a.csv") {
		t.Errorf("dangling link: %v", err)
	}
}

// Lengths, a sum and no repetition: what a slip in copying the table would break.
func TestThePublishedTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	var sum int64
	for _, f := range Published() {
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(f.SHA256) || f.Bytes <= 0 || seen[f.Name] || seen[f.SHA256] {
			t.Errorf("bad line: %+v", f)
		}
		seen[f.Name], seen[f.SHA256] = true, true
		sum += f.Bytes
	}
	if len(seen) != 16 || sum != 884645759 {
		t.Errorf("%d files of %d bytes", len(seen)/2, sum)
	}
}

func TestTheReportOfTheRealNamesFitsATerminal(t *testing.T) {
	dir := folder(t, map[string]string{
		"Monday-WorkingHours.pcap_ISCX.csv":                           "x",
		"Thursday-WorkingHours-Afternoon-Infilteration.pcap_ISCX.csv": "y",
	})
	r, err := Folder(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Files[0].GotBytes = 176927919
	r.Files[0].Path = "flows/Monday-WorkingHours.pcap_ISCX.csv"
	r.Files[4].Path = "flows/Thursday-WorkingHours-Afternoon-Infilteration.pcap_ISCX.csv"
	r.Folder = "flows"
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(line) - 1; width > 100 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), `"status":"mismatch"`) {
		t.Errorf("%s, %v", text, err)
	}
	t.Log("\n" + out.String())
}
