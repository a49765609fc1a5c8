package graph

// columnSums is the gradient of a bias: the sum of dz over the rows.
type columnSums struct{}

func (columnSums) label() string                     { return "column sums" }
func (columnSums) operands() []string                { return []string{"dz"} }
func (columnSums) infer(in []extent) (extent, error) { return in[0].row(), nil }

func (columnSums) compute(in []matrix, out matrix) error {
	for i := range in[0].rows {
		for j, v := range in[0].row(i) {
			out.data[j] += v
		}
	}
	return nil
}
