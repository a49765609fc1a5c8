//go:build emu

package study

import (
	"encoding/json"
	"strings"
	"testing"

	"flowbench/experiments/store"
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
)

// TestEmulatedDeviceIsRecorded: every attempt keeps which device it ran on, by which
// plan and with which kernels, and runs why tells it.
func TestEmulatedDeviceIsRecorded(t *testing.T) {
	st := preparedStudy(t, "sweep.replicates=1")
	device := emulator.New()
	w := &Worker{Study: st, Name: "w", Backend: cuda.NewGroup(device), Slots: 2}
	if err := w.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTrial(t, st, network, store.Done, store.Done)
	e, err := st.Explain(t.Context(), network)
	if err != nil {
		t.Fatal(err)
	}
	ran := e.Attempts[0].Ran
	if ran == nil {
		t.Fatalf("no record of the device: %+v", e.Attempts[0])
	}
	if ran.Device != "emulated" || ran.UUID != "emulated" || ran.Driver != "none" || ran.Capability != "9.0" {
		t.Errorf("device: %+v", ran)
	}
	if len(ran.Plans) != 1 || ran.Plans[0] != "fleet" || ran.Launches["fleet"] == 0 || ran.Launches["fleet_score"] == 0 || len(ran.Launches) != 2 {
		t.Errorf("plans %v, launches %v", ran.Plans, ran.Launches)
	}
	var told strings.Builder
	if err := e.Write(&told); err != nil {
		t.Fatal(err)
	}
	if want := "ran on emulated, emulated, compute capability 9.0, driver none; fleet; launched fleet "; !strings.Contains(told.String(), want) {
		t.Errorf("runs why lacks %q:\n%s", want, told.String())
	}
	if raw, err := json.Marshal(e); err != nil || !strings.Contains(string(raw), `"launches":{"fleet":`) {
		t.Errorf("runs why --json: %s, %v", raw, err)
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}
