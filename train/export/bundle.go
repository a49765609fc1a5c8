package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Files of a bundle.
const (
	onnxFile        = "model.onnx"
	safetensorsFile = "model.safetensors"
	npzFile         = "model.npz"
	schemaFile      = "schema.json"
	cardFile        = "MODEL_CARD.md"
	specFile        = "spec.yaml" // the trial's own, where its folder has one
	proofFile       = "verify.json"
	manifestFile    = "manifest.json"
)

// bundleVersion is raised when an older reader would misread a bundle.
const bundleVersion = 1

// Formats lists what a bundle may hold the weights in.
func Formats() []string { return []string{"safetensors", "onnx", "npz"} }

// Options is what goes into a bundle.
type Options struct {
	Formats []string // of Formats(); nil is all
	Layout  string   // Plain or Torch, of safetensors and npz; "" is Plain
	// Verify, where set, proves the model that lies at path before the bundle is
	// put in its place; what it returns becomes verify.json.
	Verify func(ctx context.Context, path string) (*Proof, error)
	// Sources are the addresses of the flows that the model was trained on, for the
	// model card.
	Sources []string
	// Disk is what the bundle is written to; nil is that of the operating system.
	Disk checkpoint.Disk
}

// Schema is schema.json: how the weights are used, and where they come from.
type Schema struct {
	Version  int      `json:"version"`
	Layout   string   `json:"layout"`
	Features []string `json:"features"` // of the ONNX input, in order
	Classes  []string `json:"classes"`
	// Threshold was chosen on the part of the data that ThresholdOn names; nil where
	// none could be. A score at or above it is an alert. See Threshold for how it
	// differs from RunThreshold, the run's own.
	Threshold    *float64 `json:"threshold"`
	RunThreshold *float64 `json:"run_threshold"`
	ThresholdOn  string   `json:"threshold_on"`
	// Model and Result are the trial's model.json and result.json.
	Model  json.RawMessage `json:"model"`
	Result json.RawMessage `json:"result"`
}

// Manifest is manifest.json.
type Manifest struct {
	Version     int               `json:"version"`
	Fingerprint string            `json:"fingerprint"` // of the trial
	Data        string            `json:"data"`        // of the scaled matrix and its split
	Flows       string            `json:"flows"`       // of the prepared set
	SHA256      map[string]string `json:"sha256"`      // of every other file of the bundle
}

// Write makes a bundle of the model in the folder dir, which must not exist: whole
// or not at all. Equal models and options give equal bytes.
func Write(ctx context.Context, dir string, f *train.Finished, opt Options) error {
	if opt.Disk == nil {
		opt.Disk = checkpoint.OS{}
	}
	to, err := newPlace(opt.Disk, "export", dir)
	if err != nil {
		return err
	}
	defer to.Remove()
	files, err := contents(f, &opt)
	if err != nil {
		return err
	}
	if err := to.save(files); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	last := map[string][]byte{}
	if opt.Verify != nil {
		proof, err := opt.Verify(ctx, filepath.Join(to.Path, onnxFile))
		if err != nil {
			return err
		}
		last[proofFile] = indented(proof)
		files[proofFile] = last[proofFile]
	}
	last[manifestFile] = indented(manifest(f.Model, files))
	err = to.save(last)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = to.publish()
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// contents is the files of the bundle but for the proof and the manifest. It
// completes opt.
func contents(f *train.Finished, opt *Options) (map[string][]byte, error) {
	if opt.Layout == "" {
		opt.Layout = Plain
	}
	if opt.Formats == nil {
		opt.Formats = Formats()
	}
	if opt.Verify != nil && !slices.Contains(opt.Formats, "onnx") {
		return nil, errors.New("--verify runs the ONNX model: add onnx to --format")
	}
	flat, err := Flatten(f, opt.Layout)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, format := range opt.Formats {
		var err error
		switch format {
		case "onnx":
			files[onnxFile], err = ONNX(f)
		case "safetensors":
			files[safetensorsFile], err = flat.Bytes()
		case "npz":
			files[npzFile], err = NPZ(flat)
		default:
			err = fmt.Errorf("--format %s is none that there is: write some of %v", format, Formats())
		}
		if err != nil {
			return nil, err
		}
	}
	if files[schemaFile], err = schemaOf(f, opt.Layout); err != nil {
		return nil, err
	}
	files[cardFile] = card(f, opt.Sources)
	raw, err := os.ReadFile(filepath.Join(f.Dir, specFile))
	if err == nil {
		files[specFile] = raw
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("export: %w", err)
	}
	return files, nil
}

func schemaOf(f *train.Finished, layout string) ([]byte, error) {
	s := Schema{
		Version: bundleVersion, Layout: layout, Features: f.Model.Scaler.Columns, Classes: f.Model.Classes, ThresholdOn: f.Model.ThresholdOn,
	}
	if threshold, ok := Threshold(f.Model); ok {
		s.Threshold, s.RunThreshold = &threshold, &f.Model.Threshold.V
	}
	var errs [2]error
	s.Model, errs[0] = json.Marshal(f.Model)
	s.Result, errs[1] = json.Marshal(f.Result)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("%s: %w", schemaFile, err)
	}
	return indented(s), nil
}

func manifest(m *train.ModelFile, files map[string][]byte) Manifest {
	sums := map[string]string{}
	for name, raw := range files {
		sum := sha256.Sum256(raw)
		sums[name] = hex.EncodeToString(sum[:])
	}
	return Manifest{bundleVersion, m.Fingerprint, m.Data, m.Flows, sums}
}

// indented is v as JSON that people can read; v is of types that always encode.
func indented(v any) []byte {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic("export: " + err.Error())
	}
	return append(raw, '\n')
}
