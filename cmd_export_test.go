package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/train"
)

// trained trains the one model that the section describes, on synthetic flows;
// data replaces keys of theirs.
func trained(t *testing.T, model string, data ...string) {
	t.Helper()
	t.Chdir(nowhere(t))
	text := "name: small\ndata:\n  split: {by: group, train: 0.5, validation: 0.2, test: 0.3, seed: 1}\n"
	if len(data) == 0 {
		data = []string{"source: synth://infiltration?seed=7&rows=600", "positive: [Infiltration]"}
	}
	for _, key := range data {
		text += "  " + key + "\n"
	}
	text += "model: {" + model + "}\n"
	if strings.Contains(model, "hidden") {
		text += "train: {batch: 64, epochs: 2}\n"
	}
	if err := os.WriteFile("model.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, log := flowbench(t, "train", "model.yaml", "--out", "run", "--device", "cpu"); code != 0 {
		t.Fatal(log)
	}
}

// python runs a script by Debian's python3, which has onnx and numpy. Without
// them the test is skipped, or fails where REQUIRE_ONNX is set.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	const debian = "/usr/bin/python3"
	if err := exec.Command(debian, "-c", "import onnx, numpy").Run(); err != nil {
		without(t, "python3 with onnx and numpy (apt-get install python3-onnx python3-numpy)")
	}
	out, err := exec.Command(debian, append([]string{"-c", script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// without skips the test for want of something.
func without(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_ONNX") != "" {
		t.Fatalf("REQUIRE_ONNX is set, but there is no %s", what)
	}
	t.Skipf("there is no %s; REQUIRE_ONNX=1 makes this a failure", what)
}

// wantRuntime makes sure that --verify has what it needs.
func wantRuntime(t *testing.T) {
	t.Helper()
	const script = "require.resolve('onnxruntime-node',{paths:[process.env.FLOWBENCH_NODE_MODULES||'.']})"
	if err := exec.Command("node", "-e", script).Run(); err != nil {
		without(t, "onnxruntime-node in the folder that FLOWBENCH_NODE_MODULES names (ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30)")
	}
}

const checkONNX = `
import onnx, sys
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
meta = {p.key: p.value for p in m.metadata_props}
i, = m.graph.input
dims = i.type.tensor_type.shape.dim
print(m.ir_version, m.opset_import[0].version, i.name, dims[0].dim_param, dims[1].dim_value == len(meta["feature_names"].split("\n")), [o.name for o in m.graph.output])
`

func TestONNXOfEveryKindScoresTheSame(t *testing.T) {
	wantRuntime(t)
	many := []string{"source: synth://full?seed=7&rows=2000", "task: multiclass"}
	for name, c := range map[string]struct {
		model string
		data  []string
	}{
		"dnn relu":             {"kind: dnn, hidden: [8, 6], activation: relu", nil},
		"dnn leaky relu":       {"kind: dnn, hidden: [8], activation: leaky_relu", nil},
		"dnn gelu, layer norm": {"kind: dnn, hidden: [8, 8], activation: gelu, norm: layer", nil},
		"dnn tanh, batch norm": {"kind: dnn, hidden: [8], activation: tanh, norm: batch", nil},
		"dnn sigmoid, three":   {"kind: dnn, hidden: [8], activation: sigmoid, ensemble: 3", nil},
		"dnn identity scale":   {"kind: dnn, hidden: [8]", []string{"source: synth://infiltration?seed=7&rows=600", "positive: [Infiltration]", "scale: identity", "clip: 10"}},
		"dnn classes":          {"kind: dnn, hidden: [8]", many},
		"dnn classes, two":     {"kind: dnn, hidden: [8], ensemble: 2", many},
		"autoencoder":          {"kind: autoencoder, hidden: [8]", nil},
		"squared, passes":      {"kind: autoencoder, hidden: [8], score: squared, passes: 3", nil},
		"log_median":           {"kind: autoencoder, hidden: [8], score: log_median, ensemble: 2", nil},
		"log_median_squared":   {"kind: autoencoder, hidden: [8], score: log_median_squared", nil},
		"logistic":             {"kind: logistic", nil},
		"pca":                  {"kind: pca", nil},
		"pca mahalanobis":      {"kind: pca, score: mahalanobis, components: 6", nil},
		"kmeans":               {"kind: kmeans, clusters: 8", nil},
		"kmeans spread, pca":   {"kind: kmeans, clusters: 8, score: spread, pca: 10", nil},
		"gmm full":             {"kind: gmm, components: 3", nil},
		"gmm tied, whitened":   {"kind: gmm, components: 3, covariance: tied, pca: 8, whiten: true", nil},
		"gmm diagonal":         {"kind: gmm, components: 3, covariance: diagonal", nil},
		"gmm spherical":        {"kind: gmm, components: 3, covariance: spherical", nil},
		"gmm full, whitened":   {"kind: gmm, components: 8, pca: 12, whiten: true", nil},
		"dbscan":               {"kind: dbscan, min_points: 4", nil},
		"dbscan pca":           {"kind: dbscan, min_points: 4, pca: 8", nil},
		"nearest":              {"kind: nearest_neighbour", nil},
		"nearest residual":     {"kind: nearest_neighbour, score: residual", nil},
		"nearest fifth":        {"kind: nearest_neighbour, neighbours: 5, score: residual", nil},
		"isolation forest":     {"kind: isolation_forest, trees: 20", nil},
		"isolation pca":        {"kind: isolation_forest, trees: 20, pca: 5", nil},
	} {
		t.Run(name, func(t *testing.T) {
			trained(t, c.model, c.data...)
			p := wantVerified(t, "run", "bundle")
			if p.Alerts == 0 || p.Alerts == p.Rows {
				t.Errorf("%d alerts of %d rows compare no decisions", p.Alerts, p.Rows)
			}
			wantImported(t)
		})
	}
}

// proof is what is looked at of verify.json.
type proof struct {
	Rows      int      `json:"rows"`
	Awkward   int      `json:"awkward_rows"`
	Largest   float64  `json:"largest_difference"`
	OnFlows   float64  `json:"largest_absolute_difference_on_flows"`
	Share     *float64 `json:"largest_probability_difference"`
	Alerts    int      `json:"alerts"`
	Different int      `json:"different_decisions"`
}

// wantVerified exports a run with its proof, and has the checker look at the model.
func wantVerified(t *testing.T, run, bundle string) (p proof) {
	t.Helper()
	code, out, log := flowbench(t, "export", run, "--out", bundle, "--verify")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, log)
	}
	t.Log(out)
	raw, err := os.ReadFile(bundle + "/verify.json")
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Rows-p.Awkward < 1000 || p.Awkward < 500 || p.Largest > 1e-5 || p.OnFlows > 1e-5 || p.Different != 0 {
		t.Errorf("%v: %s", err, raw)
	}
	outputs := "['score']"
	if strings.HasPrefix(out, bundle+": dnn") {
		outputs = "['score', 'probabilities']"
		if p.Share == nil || *p.Share > 1e-6 {
			t.Errorf("probabilities: %s", raw)
		}
	}
	if got, want := python(t, checkONNX, bundle+"/model.onnx"), "8 17 features N True "+outputs+"\n"; got != want {
		t.Errorf("the checker sees %s, want %s", got, want)
	}
	return p
}

func TestONNXOfBaselinesScoresTheSame(t *testing.T) {
	wantRuntime(t)
	trained(t, "kind: dnn, hidden: [8]")
	for _, run := range []string{"run:0", "run:1", "run:2"} {
		wantVerified(t, run, "bundle-"+run[4:])
	}
}

// realFlows is a source of the real sample; the test is skipped without it, or fails
// where REQUIRE_DATA is set.
func realFlows(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("FLOWBENCH_DATA")
	if root == "" {
		root = filepath.Join("..", "shared", "data")
	}
	dir, err := filepath.Abs(filepath.Join(root, "cicids2017-mini"))
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		if os.Getenv("REQUIRE_DATA") != "" {
			t.Fatalf("real flows: %v", err)
		}
		t.Skipf("real flows: %v; REQUIRE_DATA=1 makes this a failure", err)
	}
	return []string{"source: " + dir, "positive: [Infiltration]", "other_labels: drop", "drop: [destination_port]"}
}

// Real flows are where columns nearly cancel: mixtures and clusters whose scores
// float32 decided were off by 10⁻⁴ and more on them.
func TestONNXOnRealFlowsScoresTheSame(t *testing.T) {
	flows := realFlows(t)
	wantRuntime(t)
	for _, model := range []string{
		"kind: dnn, hidden: [64, 32]",
		"kind: autoencoder, hidden: [32, 8, 32]",
		"kind: logistic",
		"kind: pca",
		"kind: kmeans, clusters: 1024, score: spread, iterations: 3",
		"kind: gmm, components: 4, iterations: 10",
		"kind: gmm, components: 16, pca: 24, whiten: true, iterations: 10",
		"kind: dbscan, min_points: 2",
		"kind: nearest_neighbour, score: residual",
		"kind: nearest_neighbour, pca: 12, neighbours: 3",
		"kind: isolation_forest",
	} {
		t.Run(model, func(t *testing.T) {
			trained(t, model, flows...)
			wantVerified(t, "run", "bundle")
		})
	}
}

// TestImportedRunsAreExportedAgain needs no folder of the study any more.
func TestImportedRunsAreExportedAgain(t *testing.T) {
	wantRuntime(t)
	trained(t, "kind: gmm, components: 3, pca: 8, whiten: true")
	wantVerified(t, "run", "bundle")
	if code, _, log := flowbench(t, "import", "bundle", "--out", "imported"); code != 0 {
		t.Fatal(log)
	}
	if err := os.Rename("run", "gone"); err != nil {
		t.Fatal(err)
	}
	wantVerified(t, "imported", "again")
	wantSameFolder(t, "bundle", "again", 8)
	if err := os.Remove("imported/spec.yaml"); err != nil {
		t.Fatal(err)
	}
	code, _, log := flowbench(t, "export", "imported", "--out", "none", "--verify")
	if code != exitFailed || !strings.Contains(log, "name some with --flows") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if code, _, log := flowbench(t, "export", "imported", "--out", "other", "--verify", "--flows", "synth://infiltration?seed=11&rows=1500"); code != 0 {
		t.Error(log)
	}
	if code, _, log := flowbench(t, "export", "imported", "--out", "none", "--flows", "x.csv"); code != exitWrongUse || !strings.Contains(log, "add --verify") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if _, err := os.Stat("data"); err == nil {
		t.Error("flows were prepared beside the runs")
	}
}

// wantImported makes sure that the bundle, in either layout, scores as the run.
func wantImported(t *testing.T) {
	t.Helper()
	const flows = "synth://infiltration?seed=9&rows=300"
	_, want, _ := flowbench(t, "score", "run", flows, "--explain", "none")
	if strings.Count(want, "\n") != 301 {
		t.Fatalf("the run scores nothing: %.200s", want)
	}
	if code, _, log := flowbench(t, "import", "bundle", "--out", "imported"); code != 0 {
		t.Fatal(log)
	}
	if code, got, log := flowbench(t, "score", "imported", flows, "--explain", "none"); code != 0 || got != want {
		t.Errorf("the imported model scores otherwise: exit code %d, %s", code, log)
	}
}

// readers parse model.safetensors by a reader of its own and hold it against
// model.npz as NumPy opens it.
const readers = `
import json, numpy, sys
raw = open(sys.argv[1] + "/model.safetensors", "rb").read()
n = int.from_bytes(raw[:8], "little")
header, data = json.loads(raw[8:8+n]), raw[8+n:]
header.pop("__metadata__", None)
npz = numpy.load(sys.argv[1] + "/model.npz")
assert sorted(npz.files) == sorted(header), (npz.files, list(header))
for name, t in header.items():
    a = numpy.frombuffer(data[t["data_offsets"][0]:t["data_offsets"][1]], {"F32": "<f4", "F64": "<f8"}[t["dtype"]]).reshape(t["shape"])
    assert npz[name].dtype == a.dtype and npz[name].shape == a.shape and (npz[name] == a).all(), name
print(len(header), npz[sys.argv[2]].shape)
`

func TestExportFormats(t *testing.T) {
	trained(t, "kind: dnn, hidden: [8], norm: batch")
	for _, c := range []struct{ layout, shape string }{{"plain", "(8, 1)"}, {"torch", "(1, 8)"}} {
		if code, _, log := flowbench(t, "export", "run", "--out", c.layout, "--layout", c.layout); code != 0 {
			t.Fatal(log)
		}
		if code, _, log := flowbench(t, "import", c.layout, "--out", c.layout+"-imported"); code != 0 {
			t.Errorf("%s: %s", c.layout, log)
		}
		if code, _, log := flowbench(t, "export", c.layout+"-imported", "--out", c.layout+"-again", "--layout", c.layout); code != 0 {
			t.Errorf("%s: %s", c.layout, log)
		}
		wantSameFolder(t, c.layout, c.layout+"-again", 7)
		if got := python(t, readers, c.layout, "member0.dense1.weight"); got != "7 "+c.shape+"\n" {
			t.Errorf("%s: NumPy sees %s", c.layout, got)
		}
	}
}

// wantSameFolder holds the files of two bundles, so many, against each other.
func wantSameFolder(t *testing.T, a, b string, files int) {
	t.Helper()
	entries, err := os.ReadDir(a)
	if err != nil || len(entries) != files {
		t.Errorf("%s holds %v, %v", a, entries, err)
	}
	for _, e := range entries {
		one, err1 := os.ReadFile(filepath.Join(a, e.Name()))
		other, err2 := os.ReadFile(filepath.Join(b, e.Name()))
		if err1 != nil || err2 != nil || string(one) != string(other) {
			t.Errorf("%s differs: %v %v", e.Name(), err1, err2)
		}
	}
}

func TestExportSaysWhatIsWrong(t *testing.T) {
	trained(t, "kind: dnn, hidden: [8]")
	if code, _, log := flowbench(t, "export", "run", "--out", "bundle"); code != 0 {
		t.Fatal(log)
	}
	for _, dir := range []string{"unfinished", "damaged"} {
		if err := os.CopyFS(dir, os.DirFS("run/trials/0003")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"broken", "listed"} {
		if err := os.CopyFS(name, os.DirFS("bundle")); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(path string) {
		raw, err := os.ReadFile(path)
		if err == nil {
			raw[len(raw)-1] ^= 1
			err = os.WriteFile(path, raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	spoil("damaged/checkpoint-member0-best.safetensors")
	spoil("broken/model.safetensors")
	if err := os.Remove("unfinished/result.json"); err != nil {
		t.Fatal(err)
	}
	if code, _, log := flowbench(t, "export", "run", "--format", "onnx,npz", "--out", "few"); code != 0 {
		t.Fatal(log)
	}
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"export", "a run, such as runs/demo:best", exitWrongUse},
		{"export run --format onx --out a", "did you mean \"onnx\"?", exitWrongUse},
		{"export run --layout touch --out a", "did you mean \"torch\"?", exitWrongUse},
		{"export run --format npz --verify --out a", "add onnx to --format", exitWrongUse},
		{"export run --out bundle", "bundle exists already", exitFailed},
		{"export unfinished --out a", "has not finished", exitFailed},
		{"export damaged --out a", "is damaged", exitFailed},
		{"export run:2 --out a --format npz --layout torch", "is one of networks", exitFailed},
		{"import run --out a", "is no bundle", exitFailed},
		{"import broken --out a", "model.safetensors is damaged", exitFailed},
		{"import few --out a", "holds no model.safetensors", exitFailed},
		{"import bundle --out few", "few exists already", exitFailed},
	} {
		code, _, log := flowbench(t, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(log, c.want) {
			t.Errorf("%s: exit code %d, %q, want %d and %q", c.line, code, log, c.code, c.want)
		}
		if found, _ := filepath.Glob(".[ei]*port-*"); len(found) > 0 {
			t.Fatalf("%s leaves %v", c.line, found)
		}
	}
	if _, err := os.Stat("a"); err == nil {
		t.Error("a refused export left a folder")
	}
}

// TestVerifyFindsAnotherModel holds the scores of one run against the ONNX model
// of another.
func TestVerifyFindsAnotherModel(t *testing.T) {
	wantRuntime(t)
	trained(t, "kind: dnn, hidden: [8]")
	if code, _, log := flowbench(t, "train", "model.yaml", "--out", "other", "--device", "cpu", "--set", "model.hidden=[7]"); code != 0 {
		t.Fatal(log)
	}
	if code, _, log := flowbench(t, "export", "other", "--out", "bundle"); code != 0 {
		t.Fatal(log)
	}
	f, err := train.OpenFinished("run/trials/0003")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := scoreBackend("auto")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifyExport(t.Context(), f, backend, "bundle/model.onnx", nil); err == nil || !strings.Contains(err.Error(), "the model is not exported") {
		t.Errorf("the models agree: %v", err)
	}
}

func TestVerifyWithoutARuntime(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		without(t, "node (apt-get install nodejs)")
	}
	trained(t, "kind: dnn, hidden: [8]")
	t.Setenv("FLOWBENCH_NODE_MODULES", ".")
	code, _, log := flowbench(t, "export", "run", "--out", "a", "--verify")
	if code != exitFailed || !strings.Contains(log, "npm install onnxruntime-node@1.30") {
		t.Errorf("exit code %d: %s", code, log)
	}
	t.Setenv("PATH", t.TempDir())
	if code, _, log = flowbench(t, "export", "run", "--out", "a", "--verify"); code != exitFailed || !strings.Contains(log, "there is no node") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if _, err := os.Stat("a"); err == nil {
		t.Error("a model that was not verified is exported")
	}
}
