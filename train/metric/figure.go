package metric

// Figure is one named figure of a Report or ClassReport.
type Figure struct {
	Name  string
	Value Value
}

// namedValue is a figure's name and its place in a report.
type namedValue struct {
	name  string
	value *Value
}

func figures(values []namedValue) []Figure {
	var out []Figure
	for _, v := range values {
		out = append(out, Figure{v.name, *v.value})
	}
	return out
}

// flatten holds the evaluable values by name.
func flatten(values []namedValue) map[string]float64 {
	flat := map[string]float64{}
	for _, v := range values {
		if v.value.OK {
			flat[v.name] = v.value.V
		}
	}
	return flat
}

// reasons holds, by name, why the others are not evaluable.
func reasons(values []namedValue) map[string]string {
	why := map[string]string{}
	for _, v := range values {
		if !v.value.OK {
			why[v.name] = v.value.Reason
		}
	}
	return why
}

// explain gives the values that came out of JSON as null their reasons back.
func explain(values []namedValue, why map[string]string) {
	for _, v := range values {
		if !v.value.OK {
			v.value.Reason = why[v.name]
		}
	}
}
