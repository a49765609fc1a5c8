// kernels.Update and kernels.ClipGradient: all parameters in one launch, a span of
// one of them a block. The first that reads a gradient adds up its parts. Update's is
// the last launch of a step, with or without an Update in it, and ends the step.
#include "sequence.cuh"
#include "update.cuh"

enum { updateThreads = 256, partsAhead = 16 };

struct Span {
	float *p, *g, *m1, *m2; // p is null where only the gradient is added up
	const float *parts;     // of g, or null where g is whole
	int n;
	float decay;
	int stride, samples; // from part to part, and of a part
	int instruction;     // that made the parts
	int reserved;
};

struct UpdateArgs {
	Sequence sequence;
	const Span *spans;
	double *squares; // a span's sum of squares, for clipping
	double *norm;    // of all gradients, for clipping
	UpdateRule rule;
	int count, instruction; // count: spans
	float maxNorm;
	int ends; // the step
};

// gradientOf is element i of a span's gradient: the sum of its parts in ascending
// order, so many of them on their way at a time.
__device__ __forceinline__ float gradientOf(const Sequence &s, const Span &span, int i) {
	if (!span.parts) return span.g[i];
	int parts = (s.control->n + span.samples - 1) / span.samples;
	const float *from = span.parts + i;
	float sum = 0;
	for (int part = 0; part < parts; part += partsAhead) {
		float term[partsAhead];
		UNROLL for (int r = 0; r < partsAhead; r++) term[r] = part + r < parts ? from[(long long)(part + r) * span.stride] : 0;
		UNROLL for (int r = 0; r < partsAhead; r++) sum += term[r];
	}
	span.g[i] = sum;
	fail(s.queue, span.instruction, sum);
	return sum;
}

__device__ __forceinline__ void updateElement(const UpdateArgs &a, const Span &s, int i) {
	// All that is read comes with the gradient's parts.
	float p = s.p ? s.p[i] : 0, m1 = s.m1 ? s.m1[i] : 0, m2 = s.m2 ? s.m2[i] : 0;
	float g = gradientOf(a.sequence, s, i);
	if (!s.p || !(fabsf(g) <= 3.402823466e38f)) return;
	p = updated(a.rule, *a.sequence.control, p, g, s.decay, s.m1 ? &m1 : nullptr, s.m2 ? &m2 : nullptr);
	s.p[i] = p;
	if (s.m1) s.m1[i] = m1;
	if (s.m2) s.m2[i] = m2;
	fail(a.sequence.queue, a.instruction, p);
	fail(a.sequence.queue, a.instruction, m1);
	fail(a.sequence.queue, a.instruction, m2);
}

KERNEL(update, UpdateArgs, updateThreads) {
	SHARED(int, last);
	const Sequence &s = a.sequence;
	int own = blockIdx.x;
	if (own >= a.count) {
		drawStep(s, s.queue->next + 1, own - a.count);
	} else if (!skip(s.control, a.instruction)) {
		Span span = a.spans[own];
		for (int i = threadIdx.x; i < span.n; i += updateThreads) updateElement(a, span, i);
	}
	if (!lastBlock(&s.queue->arrived, a.count + (a.ends ? s.drawers : 0), last) || threadIdx.x > 0) return;
	if (a.ends) {
		endStep(s);
	} else {
		settle(s);
	}
}

// ClipMemory is what the threads of a block share.
struct ClipMemory {
	double part[updateThreads];
	int last;
};

// total is the sum of the threads' values, in thread 0.
__device__ __forceinline__ double total(double *part, double v) {
	part[threadIdx.x] = v;
	for (int half = updateThreads / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
	}
	return part[0];
}

KERNEL(clip_squares, UpdateArgs, updateThreads) {
	SHARED(ClipMemory, memory);
	const Sequence &s = a.sequence;
	if (skip(s.control, a.instruction)) return;
	Span span = a.spans[blockIdx.x];
	double square = 0;
	for (int i = threadIdx.x; i < span.n; i += updateThreads) {
		double g = gradientOf(s, span, i);
		square += g * g;
	}
	square = total(memory->part, square);
	if (threadIdx.x == 0) a.squares[blockIdx.x] = square;
	if (!lastBlock(&s.queue->arrived, a.count, &memory->last)) return;
	double sum = 0;
	for (int i = threadIdx.x; i < a.count; i += updateThreads) sum += a.squares[i];
	sum = total(memory->part, sum);
	if (threadIdx.x > 0) return;
	*a.norm = sqrt(sum);
	settle(s);
}

KERNEL(clip_scale, UpdateArgs, updateThreads) {
	if (skip(a.sequence.control, a.instruction)) return;
	double norm = *a.norm;
	if (!(norm > a.maxNorm)) return;
	float scale = (float)(a.maxNorm / norm);
	Span span = a.spans[blockIdx.x];
	for (int i = threadIdx.x; i < span.n; i += updateThreads) span.g[i] *= scale;
}
