// kernels.Update and kernels.ClipGradient: all parameters in one launch, a span of
// one of them a block.
#include "common.cuh"

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
	int count;
	int kind;
	float beta1, beta2, epsilon, momentum, weightDecay, maxNorm;
	int instruction, reserved;
};

enum { sgd = 1, adam, adamW };

// roundedProduct keeps a compiler from fusing a·b with an addition.
__device__ __forceinline__ float roundedProduct(float x, float y) { return __fmul_rn(x, y); }

KERNEL(update, UpdateArgs, 256) {
	if (skip(a.control, a.instruction)) return;
	const Control &c = *a.control;
	Span s = a.spans[blockIdx.x];
	for (int i = threadIdx.x; i < s.n; i += 256) {
		float p = s.p[i], g = s.g[i], decay = s.decay;
		if (a.kind == adamW) {
			p -= roundedProduct(roundedProduct(c.rate, decay), p);
			decay = 0;
		}
		g += roundedProduct(decay, p);
		if (a.kind != sgd) {
			float m = roundedProduct(a.beta1, s.m1[i]) + roundedProduct(1 - a.beta1, g);
			float v = roundedProduct(a.beta2, s.m2[i]) + roundedProduct(roundedProduct(1 - a.beta2, g), g);
			s.m1[i] = m, s.m2[i] = v;
			p -= roundedProduct(c.corrected, m) / (roundedProduct(sqrtf(v), c.correction) + a.epsilon);
			check(a.control, a.instruction, m);
			check(a.control, a.instruction, v);
		} else if (s.m1) {
			g = roundedProduct(a.momentum, s.m1[i]) + g;
			s.m1[i] = g;
			p -= roundedProduct(c.rate, g);
			check(a.control, a.instruction, g);
		} else {
			p -= roundedProduct(c.rate, g);
		}
		s.p[i] = p;
		check(a.control, a.instruction, p);
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
