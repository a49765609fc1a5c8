// kernels.Corrupt: four elements a thread, which share their random words.
#include "common.cuh"

struct CorruptArgs {
	Control *control;
	Matrix x, y;
	float sigma, maskRate;
	word stream;
	int instruction;
};

KERNEL(corrupt, CorruptArgs, 256) {
	const Control &c = *a.control;
	if (skip(a.control, a.instruction)) return;
	int cols = a.y.cols;
	wide count = (wide)c.n * cols, first = ((wide)blockIdx.x * 256 + threadIdx.x) * 4;
	Draws noise = {}, mask = {};
	for (wide e = first; e < first + 4 && e < count; e++) {
		float v = rowOf(a.x, c, (int)(e / cols))[e % cols];
		if (c.training && a.sigma > 0) v += __fmul_rn(a.sigma, normal(noise, c, a.stream, e));
		if (c.training && a.maskRate > 0 && !keep(mask, c, a.stream, e, a.maskRate)) v = 0;
		a.y.data[e] = v;
		check(a.control, a.instruction, v);
	}
}
