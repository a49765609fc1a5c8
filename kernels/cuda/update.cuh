// One element's step of kernels.Update. Every product is rounded before it is
// added, as in the other backends.
#pragma once
#include "common.cuh"

// UpdateRule is what kernels.Update says beside its buffers and its decay.
struct UpdateRule {
	int kind;
	float beta1, beta2, epsilon, momentum;
	int reserved;
};

enum { sgd = 1, adam, adamW };

// updated is the parameter p after a step with gradient g; m1 and m2, which may be
// null where the rule has no such moment, move along.
__device__ __forceinline__ float updated(const UpdateRule &u, const Control &c, float p, float g, float decay, float *m1, float *m2) {
	if (u.kind == adamW) {
		p -= __fmul_rn(__fmul_rn(c.rate, decay), p);
		decay = 0;
	}
	g += __fmul_rn(decay, p);
	if (u.kind == sgd) {
		if (m1) g = *m1 = __fmul_rn(u.momentum, *m1) + g;
		return p - __fmul_rn(c.rate, g);
	}
	float m = __fmul_rn(u.beta1, *m1) + __fmul_rn(1 - u.beta1, g);
	float v = __fmul_rn(u.beta2, *m2) + __fmul_rn(__fmul_rn(1 - u.beta2, g), g);
	*m1 = m, *m2 = v;
	return p - __fmul_rn(c.corrected, m) / (__fmul_rn(sqrtf(v), c.correction) + u.epsilon);
}
