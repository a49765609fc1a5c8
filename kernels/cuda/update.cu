// kernels.Update and kernels.ClipGradient: all parameters in one launch, a span of
// one of them a block.
#include "update.cuh"

enum { spanSize = 1024 };

struct Span {
	float *p, *g, *m1, *m2;
	int n;
	float decay;
};

struct UpdateArgs {
	Control *control;
	const Span *spans;
	double *squares; // a span's sum of squares, for clipping
	UpdateRule rule;
	int count, instruction;
	float maxNorm;
	int reserved;
};

KERNEL(update, UpdateArgs, 256) {
	if (skip(a.control, a.instruction)) return;
	Span s = a.spans[blockIdx.x];
	for (int i = threadIdx.x; i < s.n; i += 256) {
		float *m1 = s.m1 ? s.m1 + i : nullptr, *m2 = s.m2 ? s.m2 + i : nullptr;
		s.p[i] = updated(a.rule, *a.control, s.p[i], s.g[i], s.decay, m1, m2);
		check(a.control, a.instruction, s.p[i]);
		if (m1) check(a.control, a.instruction, *m1);
		if (m2) check(a.control, a.instruction, *m2);
	}
}

KERNEL(clip_squares, UpdateArgs, 256) {
	SHARED(double, part);
	if (skip(a.control, a.instruction)) return;
	Span s = a.spans[blockIdx.x];
	double sum = 0;
	for (int i = threadIdx.x; i < s.n; i += 256) sum += (double)s.g[i] * s.g[i];
	part[threadIdx.x] = sum;
	for (int half = 128; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	if (threadIdx.x == 0) a.squares[blockIdx.x] = part[0];
}

KERNEL(clip_scale, UpdateArgs, 256) {
	if (skip(a.control, a.instruction)) return;
	double sum = 0;
	for (int i = 0; i < a.count; i++) sum += a.squares[i];
	double norm = sqrt(sum);
	if (!(norm > a.maxNorm)) return;
	float scale = (float)(a.maxNorm / norm);
	Span s = a.spans[blockIdx.x];
	for (int i = threadIdx.x; i < s.n; i += 256) s.g[i] *= scale;
}
