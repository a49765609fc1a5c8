package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// Dense is x·w + b: x is n×in, w is in×out, b is 1×out or nil for none.
func Dense(x, w, b *gorgonia.Node) (*gorgonia.Node, error) {
	if b == nil {
		return apply(dense{}, x, w)
	}
	return apply(dense{bias: true}, x, w, b)
}

type dense struct{ bias bool }

func (d dense) label() string {
	if d.bias {
		return "dense"
	}
	return "dense without bias"
}

func (d dense) operands() []string {
	if d.bias {
		return []string{"x", "w", "b"}
	}
	return []string{"x", "w"}
}

func (d dense) infer(in []extent) (extent, error) {
	x, w := in[0], in[1]
	if x.cols != w.rows {
		return extent{}, fmt.Errorf("x is %v and w is %v: w needs as many rows as x has columns", x, w)
	}
	if d.bias && in[2] != w.row() {
		return extent{}, fmt.Errorf("w is %v and b is %v: b must be %v", w, in[2], w.row())
	}
	return extent{x.rows, w.cols}, nil
}

func (d dense) compute(in []matrix, out matrix) error {
	x, w := in[0], in[1]
	for i := range out.rows {
		y := out.row(i)
		if d.bias {
			copy(y, in[2].data)
		}
		for k, v := range x.row(i) {
			for j, weight := range w.row(k) {
				y[j] += v * weight
			}
		}
	}
	return nil
}

func (d dense) wrt() []bool {
	if d.bias {
		return []bool{true, true, true}
	}
	return []bool{true, true}
}

func (d dense) derive(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w := in[0], in[1]
	dx, err := apply(denseGradX{}, grad, w)
	if err != nil {
		return nil, err
	}
	dw, err := apply(denseGradW{}, x, grad)
	if err != nil || !d.bias {
		return gorgonia.Nodes{dx, dw}, err
	}
	db, err := apply(columnSums{}, grad)
	return gorgonia.Nodes{dx, dw, db}, err
}

// denseGradX is dz·wᵀ.
type denseGradX struct{}

func (denseGradX) label() string      { return "gradient of dense in x" }
func (denseGradX) operands() []string { return []string{"dz", "w"} }

func (denseGradX) infer(in []extent) (extent, error) {
	dz, w := in[0], in[1]
	if dz.cols != w.cols {
		return extent{}, fmt.Errorf("dz is %v and w is %v: want equal columns", dz, w)
	}
	return extent{dz.rows, w.rows}, nil
}

func (denseGradX) compute(in []matrix, out matrix) error {
	dz, w := in[0], in[1]
	for i := range out.rows {
		for k := range out.cols {
			sum := 0.0
			for j, v := range dz.row(i) {
				sum += v * w.at(k, j)
			}
			out.set(i, k, sum)
		}
	}
	return nil
}

// denseGradW is xᵀ·dz.
type denseGradW struct{}

func (denseGradW) label() string      { return "gradient of dense in w" }
func (denseGradW) operands() []string { return []string{"x", "dz"} }

func (denseGradW) infer(in []extent) (extent, error) {
	x, dz := in[0], in[1]
	if x.rows != dz.rows {
		return extent{}, fmt.Errorf("x is %v and dz is %v: want equal rows", x, dz)
	}
	return extent{x.cols, dz.cols}, nil
}

func (denseGradW) compute(in []matrix, out matrix) error {
	x, dz := in[0], in[1]
	for i := range x.rows {
		for k, v := range x.row(i) {
			dw := out.row(k)
			for j, g := range dz.row(i) {
				dw[j] += v * g
			}
		}
	}
	return nil
}
