//go:build gpu

package nvidia

// #include <cuda.h>
//
// // What gorgonia.org/cu lacks: recording a stream into a graph that can be
// // launched, and more than 48 KB of shared memory for a function.
//
// static CUresult beginCapture(void *stream) {
// 	return cuStreamBeginCapture((CUstream)stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
// }
//
// static CUresult endCapture(void *stream, CUgraphExec *exec) {
// 	CUgraph graph;
// 	CUresult r = cuStreamEndCapture((CUstream)stream, &graph);
// 	if (r != CUDA_SUCCESS) return r;
// 	r = cuGraphInstantiateWithFlags(exec, graph, 0);
// 	cuGraphDestroy(graph);
// 	return r;
// }
//
// static CUresult replay(CUgraphExec exec, void *stream) { return cuGraphLaunch(exec, (CUstream)stream); }
//
// static CUresult allowShared(void *function, int bytes) {
// 	return cuFuncSetAttribute((CUfunction)function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
// }
//
// static const char *reason(CUresult r) {
// 	const char *text = 0;
// 	return cuGetErrorString(r, &text) == CUDA_SUCCESS && text ? text : "unknown error";
// }
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"flowbench/kernels/cuda"
)

// failure is what the driver says of a call that cu lacks.
func failure(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return fmt.Errorf("%s (error %d)", C.GoString(C.reason(r)), int(r))
}

// Record makes a CUDA graph of the launches.
func (d *Driver) Record(launches []cuda.Launch) (cuda.Graph, error) {
	leave, err := d.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	stream := unsafe.Pointer(d.stream.C())
	if err := failure(C.beginCapture(stream)); err != nil {
		return nil, d.fault("recording", err)
	}
	for _, l := range launches {
		if err := d.launch(l); err != nil {
			var broken C.CUgraphExec
			C.endCapture(stream, &broken)
			return nil, err
		}
	}
	g := &graph{driver: d}
	if err := failure(C.endCapture(stream, &g.exec)); err != nil {
		return nil, d.fault("recording", err)
	}
	return g, nil
}

type graph struct {
	driver *Driver
	exec   C.CUgraphExec
}

func (g *graph) Replay() error {
	leave, err := g.driver.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := failure(C.replay(g.exec, unsafe.Pointer(g.driver.stream.C()))); err != nil {
		return g.driver.fault("replaying a step", err)
	}
	return nil
}

func (g *graph) Close() error {
	leave, err := g.driver.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := failure(C.cuGraphExecDestroy(g.exec)); err != nil {
		return g.driver.fault("destroying a graph", err)
	}
	return nil
}

// allowShared lets a function use as much shared memory as the device gives a block.
func allowShared(f cu.Function, bytes int) error {
	handle := *(*unsafe.Pointer)(unsafe.Pointer(&f)) // a Function is its handle
	if err := failure(C.allowShared(handle, C.int(bytes))); err != nil {
		return fmt.Errorf("raising the limit of shared memory to %d bytes: %w", bytes, err)
	}
	return nil
}
