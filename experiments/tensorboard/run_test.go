package tensorboard

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/spec"
	"flowbench/train"
)

// ticking is a clock that moves a second at each look.
func ticking() func() time.Time {
	at := time.Unix(1_700_000_000, 0)
	return func() time.Time { at = at.Add(time.Second); return at }
}

var (
	testSession = Session{Group: "dnn-2", Parameters: map[string]any{
		"model.kind": "dnn", "model.hidden": []any{64, 32}, "optimizer.learning_rate": 1e-3, "train.stratified": true, "seed": uint64(7),
	}}
	testEpochs = []train.EpochMetrics{
		{Epoch: 1, Step: 10, LearningRate: 1e-3, Values: map[string]float64{"train.loss": 0.5, "validation.average_precision": 0.25}},
		{Epoch: 2, Step: 20, LearningRate: 1e-3, Values: map[string]float64{"train.loss": 0.25, "validation.average_precision": 0.5}},
		{Member: 1, Epoch: 1, Step: 10, LearningRate: 1e-3, Values: map[string]float64{"train.loss": 0.75}},
	}
	testResults = map[string]float64{"test.auroc": 0.875, "test.recall_at_fpr_0.01": 0.5}
)

// curve is what TensorBoard shows of a file: value by "tag step".
func curve(t *testing.T, all []decoded) map[string]float64 {
	t.Helper()
	points := map[string]float64{}
	for _, e := range all {
		step, _ := e["step"].(int64)
		summary, _ := e["summary"].(decoded)
		values, _ := summary["value"].([]decoded)
		for _, v := range values {
			scalar, ok := v["simple_value"].(float64)
			if !ok {
				continue
			}
			key := fmt.Sprintf("%s %d", v["tag"], step)
			if _, twice := points[key]; twice {
				t.Errorf("%s stands there twice", key)
			}
			points[key] = scalar
		}
	}
	return points
}

// plugin is the message of the plugin under a tag.
func plugin(t *testing.T, all []decoded, tag, message string) decoded {
	t.Helper()
	var found decoded
	for _, e := range all {
		summary, _ := e["summary"].(decoded)
		values, _ := summary["value"].([]decoded)
		for _, v := range values {
			if v["tag"] != tag {
				continue
			}
			if found != nil {
				t.Fatalf("%s stands there twice", tag)
			}
			metadata := v["metadata"].(decoded)
			data := metadata["plugin_data"].(decoded)
			tensor := v["tensor"].(decoded)
			dims := tensor["tensor_shape"].(decoded)["dim"].([]decoded)
			if data["plugin_name"] != "hparams" || metadata["data_class"] != int64(2) || tensor["dtype"] != int64(1) || len(dims) != 1 || dims[0]["size"] != int64(0) {
				t.Fatalf("%s is not what the plugin reads: %v", tag, v)
			}
			found = data["content"].(decoded)[message].(decoded)
		}
	}
	if found == nil {
		t.Fatalf("no %s", tag)
	}
	return found
}

func mustEvents(t *testing.T, raw []byte) []decoded {
	t.Helper()
	all, err := events(raw)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var wantCurve = map[string]float64{
	"train/loss 1": 0.5, "train/loss 2": 0.25, "validation/average_precision 1": 0.25, "validation/average_precision 2": 0.5,
	"train/learning_rate 1": float64(float32(1e-3)), "train/learning_rate 2": float64(float32(1e-3)),
	"member_1/train/loss 1": 0.75, "member_1/train/learning_rate 1": float64(float32(1e-3)),
	"result/test/auroc 2": 0.875, "result/test/recall_at_fpr_0.01 2": 0.5,
}

// writeAll logs a whole trial, an epoch of it twice, and returns the file.
func writeAll(dir string, s Session) ([]byte, error) {
	l, err := Open(dir, s, ticking())
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for _, m := range append(testEpochs, testEpochs[1]) {
		if err := l.Epoch(m); err != nil {
			return nil, err
		}
	}
	if err := l.End(testResults, Succeeded); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, FileName))
}

func TestWholeTrial(t *testing.T) {
	raw, err := writeAll(t.TempDir(), testSession)
	if err != nil {
		t.Fatal(err)
	}
	all := mustEvents(t, raw)
	if all[0]["file_version"] != "brain.Event:2" {
		t.Errorf("the first event is %v", all[0])
	}
	if diff := cmp.Diff(wantCurve, curve(t, all)); diff != "" {
		t.Error(diff)
	}
	start := plugin(t, all, startTag, "session_start_info")
	got := map[string]any{}
	for _, entry := range start["hparams"].([]decoded) {
		for _, v := range entry["value"].(decoded) {
			got[entry["key"].(string)] = v
		}
	}
	want := map[string]any{"model.kind": "dnn", "model.hidden": "[64,32]", "optimizer.learning_rate": 1e-3, "train.stratified": int64(1), "seed": 7.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	end := plugin(t, all, endTag, "session_end_info")
	if start["group_name"] != "dnn-2" || start["start_time_secs"] != 1_700_000_001.0 || end["status"] != int64(1) || end["end_time_secs"] != 1_700_000_005.0 {
		t.Errorf("start %v, end %v", start, end)
	}
	for i := 2; i < len(all); i++ {
		if all[i]["wall_time"].(float64) < all[i-1]["wall_time"].(float64) {
			t.Errorf("event %d is before the one before it", i)
		}
	}
}

func TestParameterThatNoTableShows(t *testing.T) {
	for name, v := range map[string]any{"rate": math.NaN(), "function": func() {}} {
		_, err := writeAll(t.TempDir(), Session{Parameters: map[string]any{name: v}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// logged writes what a trial logs that is killed after some epochs and begins
// again at the first that its checkpoint does not have.
func logged(t *testing.T, dir string, killed, resumed int) {
	t.Helper()
	for _, part := range [][]train.EpochMetrics{testEpochs[:killed], testEpochs[resumed:]} {
		l, err := Open(dir, testSession, ticking())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range part {
			if err := l.Epoch(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second says nothing new
		l, err := Open(dir, testSession, ticking())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.End(testResults, Succeeded); err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

func TestResumedTrialShowsEachEpochOnce(t *testing.T) {
	for killed := range len(testEpochs) + 1 {
		for resumed := range killed + 1 {
			dir := t.TempDir()
			logged(t, dir, killed, resumed)
			raw, err := os.ReadFile(filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			all := mustEvents(t, raw)
			if diff := cmp.Diff(wantCurve, curve(t, all)); diff != "" {
				t.Errorf("killed after %d, resumed at %d: %s", killed, resumed, diff)
			}
			plugin(t, all, startTag, "session_start_info")
			plugin(t, all, endTag, "session_end_info")
		}
	}
}

// TestDamagedFileIsMended cuts a file at every byte and flips bits of it: what is
// left and written again is whole and shows each point once.
func TestDamagedFileIsMended(t *testing.T) {
	dir := t.TempDir()
	logged(t, dir, 2, 2)
	path := filepath.Join(dir, FileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mend := func(what string, damaged []byte) {
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		logged(t, dir, len(testEpochs), 0)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := events(raw)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(wantCurve, curve(t, all)); diff != "" {
			t.Fatalf("%s: %s", what, diff)
		}
	}
	for n := range good {
		mend(fmt.Sprintf("cut at byte %d", n), good[:n])
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		damaged := bytes.Clone(good)
		bit := random.IntN(8 * len(damaged))
		damaged[bit/8] ^= 1 << (bit % 8)
		mend(fmt.Sprintf("bit %d flipped", bit), damaged)
	}
}

// TestChecksum is against the value that RFC 3720, appendix B.4, lists for 32
// bytes of zeros, and against the decoder's own.
func TestChecksum(t *testing.T) {
	const zeros = 0x8a9136aa
	rotated := uint32(zeros>>15 | zeros&0x7fff<<17)
	if got := maskedCRC(make([]byte, 32)); got != rotated+0xa282ead8 {
		t.Errorf("%08x", got)
	}
	if got := masked(make([]byte, 32)); got != rotated+0xa282ead8 {
		t.Errorf("the decoder's: %08x", got)
	}
}

func TestParameters(t *testing.T) {
	s, err := spec.Parse("x.yaml", []byte("name: x\ndata: {source: 'synth://infiltration?seed=1', positive: [Infiltration]}\nmodel: {kind: dnn, hidden: [8, 4]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parameters(*run)
	if err != nil {
		t.Fatal(err)
	}
	if p["model.kind"] != "dnn" || fmt.Sprint(p["model.hidden"]) != "[8 4]" || p["name"] != nil || p["data.source"] != nil {
		t.Errorf("%v", p)
	}
	if _, err := writeAll(t.TempDir(), Session{Parameters: p}); err != nil {
		t.Error(err)
	}
}
