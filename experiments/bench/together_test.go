package bench

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// shell is a command that a shell runs in place of a measurement.
func shell(t *testing.T, script string) []string {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		if os.Getenv("REQUIRE_SHELL") != "" {
			t.Fatal("no shell: ", err)
		}
		t.Skip("no shell: ", err)
	}
	return []string{path, "-c", script}
}

func TestTogetherAddsSpeeds(t *testing.T) {
	command := shell(t, `echo ready; read word; [ "$word" = begin ] && echo "{\"work\":\"dnn\",\"samples_per_second\":$SPEED}"`)
	sum, err := Together(t.Context(), 3, command, []string{"SPEED=1.5"})
	if err != nil || sum != 4.5 {
		t.Errorf("three times 1.5 make %v, %v", sum, err)
	}
}

func TestTogetherFails(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"echo cannot >&2; exit 3", "exit status 3: cannot"},
		{"echo busy; exec sleep 60", `says "busy\n"`},
		{"echo ready; read word; echo '{}'", "gave no samples_per_second"},
		{"echo ready; read word; echo nothing", "invalid character"},
		{`echo ready; read word; echo '{"samples_per_second":1}'; echo late >&2; exit 4`, "exit status 4: late"},
	} {
		if _, err := Together(t.Context(), 2, shell(t, c.script), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ...%s...", c.script, err, c.want)
		}
	}
	if _, err := Together(t.Context(), 2, []string{"/nowhere/program"}, nil); err == nil || !strings.Contains(err.Error(), "/nowhere/program") {
		t.Errorf("no program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Together(ctx, 1, shell(t, "exec sleep 60"), nil); err == nil {
		t.Error("no error after the context's end")
	}
}

func TestAwait(t *testing.T) {
	var out bytes.Buffer
	if err := Await(strings.NewReader("begin\n"), &out); err != nil || out.String() != readyLine {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := Await(strings.NewReader(""), &out); err == nil {
		t.Error("it goes on when whoever waits is gone")
	}
}
