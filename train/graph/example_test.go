package graph_test

import (
	"fmt"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/train/graph"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A graph made by hand runs on a backend where a TapeMachine would have stood.
func ExampleNewMachine() {
	g := gorgonia.NewGraph()
	input := func(name string, rows, cols int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
	}
	x, y := input("x", 2, 3), input("y", 2, 1)
	hidden := gorgonia.Must(graph.Dense(x, input("w0", 3, 2), input("b0", 1, 2)))
	hidden = gorgonia.Must(graph.Activate(kernels.ReLU, hidden))
	logits := gorgonia.Must(graph.Dense(hidden, input("w1", 2, 1), input("b1", 1, 1)))
	loss := gorgonia.Must(graph.BinaryCrossEntropy(logits, y, nil, 0))

	model, err := graph.NewModel(x, y, logits, loss)
	if err != nil {
		panic(err)
	}
	err = model.Bind(map[string][]float32{
		"x": {1, 2, 3, -1, -2, -3}, "y": {1, 0},
		"w0": {1, 0, 0, 1, 0, 0}, "b0": {0, 0}, "w1": {1, 1}, "b1": {-1},
	})
	if err != nil {
		panic(err)
	}
	vm, err := graph.NewMachine(model, cpu.New())
	if err != nil {
		panic(err)
	}
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		panic(err)
	}
	fmt.Println("logits", model.Output.Value().Data())
	fmt.Printf("loss %.4f\n", model.Loss.Value().Data())
	// Output:
	// logits [2 -1]
	// loss 0.2201
}
