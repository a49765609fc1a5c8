package cpu

import "flowbench/kernels"

// places says where each buffer of a Program lies in the Machine's memory. The
// Program's own plan is not used: it lets activations share a place where their
// instructions are apart in time, but here a thread may be several instructions
// ahead of another.
type places struct {
	offset []int // of each buffer; -1 for the Table and the Target
	// perWorker is whether the buffers with one row a sample lie in each worker's
	// memory and hold one slice, not the batch: a large batch would not stay in
	// cache. They can then not be read after the step.
	perWorker bool
	shared    int // float32 in the memory that all workers share
	each      int // float32 in the memory of each worker
	gathered  int // offset of the slice's rows of the Table, a row a sample
	targets   int // offset of the slice's targets
}

// keptRows is the largest batch whose activations are kept for Read. Those of
// the README's networks then take 4 MB: two second-level caches.
const keptRows = 2048

// margin is what the routines may read, and throw away, beyond the end of a
// buffer's last row: at most two registers.
const margin = 64

func place(p *kernels.Program, perWorker bool) places {
	l := places{offset: make([]int, len(p.Buffers)), perWorker: perWorker}
	rows, perSample := p.Batch, &l.shared
	if perWorker {
		rows, perSample = sliceRows, &l.each
	}
	take := func(size *int, n int) int {
		at := *size
		*size += (n + kernels.Alignment - 1) / kernels.Alignment * kernels.Alignment
		return at
	}
	for i, b := range p.Buffers {
		switch {
		case b.Kind == kernels.Table:
			l.offset[i] = -1
			l.gathered = take(perSample, rows*b.Cols)
		case b.Kind == kernels.Target:
			l.offset[i] = -1
		case b.PerSample:
			l.offset[i] = take(perSample, rows*b.Cols)
		default:
			l.offset[i] = take(&l.shared, b.Len())
		}
	}
	l.targets = take(perSample, rows)
	l.shared += margin
	l.each += margin
	return l
}

// samples is a buffer with one row a sample; cols is 0 for None.
type samples struct{ offset, cols int }

// rows is the part of the buffer that holds the slice's samples.
func (v samples) rows(sl *slice) []float32 {
	from := v.offset + sl.at*v.cols
	return sl.memory[from : from+sl.n*v.cols]
}

// row is sample i of the slice.
func (v samples) row(sl *slice, i int) []float32 {
	from := v.offset + (sl.at+i)*v.cols
	return sl.memory[from : from+v.cols]
}
