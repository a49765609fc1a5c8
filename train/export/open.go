package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Import makes a trial's folder in dir, which must not exist, of the bundle's
// safetensors and schema: one that train.OpenFinished takes, which holds each
// file of weights against the SHA-256 that training wrote. It is made whole or
// not at all.
func Import(bundle, dir string) error { return importTo(checkpoint.OS{}, bundle, dir) }

func importTo(disk checkpoint.Disk, bundle, dir string) error {
	files, err := trial(bundle)
	if err != nil {
		return err
	}
	to, err := newPlace(disk, "import", dir)
	if err != nil {
		return err
	}
	defer to.Remove()
	if err := to.save(files); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if _, err := train.OpenFinished(to.Path); err != nil {
		return fmt.Errorf("%s: %w", bundle, err)
	}
	if err := to.publish(); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// trial is the files of the trial's folder.
func trial(bundle string) (map[string][]byte, error) {
	held, m, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(bundle, name) }
	for _, name := range []string{schemaFile, safetensorsFile} {
		if held[name] == nil {
			return nil, fmt.Errorf("%s holds no %s: export the run with --format safetensors", bundle, name)
		}
	}
	var s Schema
	var model train.ModelFile
	var result train.Result
	if err := json.Unmarshal(held[schemaFile], &s); err != nil {
		return nil, fmt.Errorf("%s: %w", at(schemaFile), err)
	}
	if s.Version != bundleVersion {
		return nil, fmt.Errorf("%s is of version %d, this program reads %d: export the run again", bundle, s.Version, bundleVersion)
	}
	if err := errors.Join(json.Unmarshal(s.Model, &model), json.Unmarshal(s.Result, &result)); err != nil {
		return nil, fmt.Errorf("%s: model and result: %w", at(schemaFile), err)
	}
	if m.Version != bundleVersion || m.Fingerprint != model.Fingerprint || m.Data != model.Data || m.Flows != model.Flows {
		return nil, fmt.Errorf("%s is damaged: its version and fingerprints are not those of %s; export the run again", at(manifestFile), schemaFile)
	}
	flat, err := checkpoint.Decode(held[safetensorsFile])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(safetensorsFile), err)
	}
	members, err := split(flat, len(result.Members))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(safetensorsFile), err)
	}
	files := map[string][]byte{"model.json": append(s.Model, '\n'), "result.json": append(s.Result, '\n')}
	if raw, ok := held[specFile]; ok {
		files[specFile] = raw
	}
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

// readBundle reads the files of a bundle that its manifest lists, each of which
// must be the one that it means.
func readBundle(bundle string) (map[string][]byte, *Manifest, error) {
	path := filepath.Join(bundle, manifestFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is no bundle: it has no %s that can be read; flowbench export makes one", bundle, manifestFile)
	}
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, nil, fmt.Errorf("%s is damaged: %w; export the run again", path, err)
	}
	if !bytes.Equal(indented(m), raw) { // json passes over unknown words
		return nil, nil, fmt.Errorf("%s is damaged: it is not what flowbench export writes; export the run again", path)
	}
	held := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(m.SHA256)) {
		if name != filepath.Base(name) {
			return nil, nil, fmt.Errorf("%s is damaged: %q is no file of its folder; export the run again", path, name)
		}
		content, err := os.ReadFile(filepath.Join(bundle, name))
		if err != nil {
			return nil, nil, fmt.Errorf("import: %w, but %s lists it; export the run again", err, path)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != m.SHA256[name] {
			return nil, nil, fmt.Errorf("%s is damaged: its SHA-256 is %x, %s says %s; export the run again", filepath.Join(bundle, name), got, manifestFile, m.SHA256[name])
		}
		held[name] = content
	}
	return held, m, nil
}
