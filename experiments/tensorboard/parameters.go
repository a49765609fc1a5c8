package tensorboard

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"flowbench/experiments/spec"
)

// Parameters are what a run was given, by dotted path, as Session takes
// them: every field that has an effect, but for the study's name and where the
// flows lie.
func Parameters(run spec.Run) (map[string]any, error) {
	raw, err := run.YAML()
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("tensorboard: reading the run's spec: %w", err)
	}
	delete(tree, "name")
	parameters := map[string]any{}
	flatten(parameters, "", tree)
	delete(parameters, "data.source")
	return parameters, nil
}

// flatten puts the leaves of a tree into to.
func flatten(to map[string]any, prefix string, tree map[string]any) {
	for key, v := range tree {
		if below, ok := v.(map[string]any); ok {
			flatten(to, prefix+key+".", below)
			continue
		}
		to[prefix+key] = v
	}
}
