package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal of 100 columns: what is drawn on it can be read
// from screen until the terminal is closed.
func terminal(t *testing.T) (draw *os.File, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("REQUIRE_TERMINAL") != "" {
			t.Fatalf("no pseudo-terminal: %v", err)
		}
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		draw, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(draw.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100})
	}
	if err != nil {
		if os.Getenv("REQUIRE_TERMINAL") != "" {
			t.Fatalf("no pseudo-terminal: %v", err)
		}
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { draw.Close() })
	return draw, screen
}

// TestLiveDraws looks at what a terminal gets: bars while trials run, and every
// word of the workers, the last ones before the end too.
func TestLiveDraws(t *testing.T) {
	draw, screen := terminal(t)
	seen := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error when the terminal is closed
		seen <- string(text)
	}()
	live := NewLive(draw)
	live.Show(epochs(trials("drp"), 3))
	fmt.Fprintln(live, "the first words")
	for i := range 8 {
		live.Show(epochs(trials("drr"), 1+i))
	}
	fmt.Fprintln(live, "the last words")
	live.Close()
	draw.Close()
	text := <-seen
	for _, part := range []string{"trials 1/3", "dnn-1, replicate 0", "the first words", "the last words"} {
		if !strings.Contains(text, part) {
			t.Errorf("the screen lacks %q: %q", part, text)
		}
	}
}
