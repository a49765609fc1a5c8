package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Import makes a trial's folder in dir, which must not exist, of the bundle's
// safetensors and schema: one that train.OpenFinished takes, which holds each
// file of weights against the SHA-256 that training wrote. It is made whole or
// not at all.
func Import(bundle, dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already: name another folder with --out, or remove it", dir)
	}
	files, err := trial(bundle)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".import-")
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := save(tmp, files); err != nil {
		return err
	}
	if _, err := train.OpenFinished(tmp); err != nil {
		return fmt.Errorf("%s: %w", bundle, err)
	}
	if err := errors.Join(os.Chmod(tmp, 0o755), os.Rename(tmp, dir)); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// trial is the files of the trial's folder.
func trial(bundle string) (map[string][]byte, error) {
	sums, err := readManifest(bundle)
	if err != nil {
		return nil, err
	}
	raw, err := read(bundle, schemaFile, sums)
	if err != nil {
		return nil, err
	}
	var s Schema
	var result train.Result
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, schemaFile), err)
	}
	if s.Version != bundleVersion {
		return nil, fmt.Errorf("%s is of version %d, this program reads %d: export the run again", bundle, s.Version, bundleVersion)
	}
	if err := json.Unmarshal(s.Result, &result); err != nil {
		return nil, fmt.Errorf("%s: result: %w", filepath.Join(bundle, schemaFile), err)
	}
	if raw, err = read(bundle, safetensorsFile, sums); err != nil {
		return nil, err
	}
	flat, err := checkpoint.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, safetensorsFile), err)
	}
	members, err := split(flat, len(result.Members))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, safetensorsFile), err)
	}
	files := map[string][]byte{"model.json": append(s.Model, '\n'), "result.json": append(s.Result, '\n')}
	for i, m := range result.Members {
		if m.Weights != filepath.Base(m.Weights) {
			return nil, fmt.Errorf("%s: the weights %q are no file of its folder", bundle, m.Weights)
		}
		if files[m.Weights], err = members[i].Bytes(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func readManifest(bundle string) (sums map[string]string, err error) {
	raw, err := os.ReadFile(filepath.Join(bundle, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("%s is no bundle: it has no %s; flowbench export makes one", bundle, manifestFile)
	}
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, manifestFile), err)
	}
	return m.SHA256, nil
}

// read is the file of that name, which must be the one that the manifest means.
func read(bundle, name string, sums map[string]string) ([]byte, error) {
	want, ok := sums[name]
	if !ok {
		return nil, fmt.Errorf("%s holds no %s: export the run with --format safetensors", bundle, name)
	}
	path := filepath.Join(bundle, name)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("import: %w; export the run again", err)
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != want {
		return nil, fmt.Errorf("%s is damaged: its SHA-256 is %x, %s says %s; export the run again", path, got, manifestFile, want)
	}
	return raw, nil
}
