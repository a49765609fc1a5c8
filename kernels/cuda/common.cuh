// What all kernels share: how they are declared, what a step tells them, Philox,
// activations, and the check for NaN and infinities.
//
// A kernel has one parameter, a struct whose twin in Go has the same fields in
// the same order (pointers first). It is compiled by nvcc, and by a C++ compiler
// for the emulator, which defines EMULATED and the words of CUDA before this file.
#pragma once

#ifndef EMULATED
#define KERNEL(name, Args, threads) \
	extern "C" __global__ void __launch_bounds__(threads, 1) name(const __grid_constant__ Args a)
#define SHARED(Type, name)                          \
	extern __shared__ __align__(16) char block[]; \
	Type *name = reinterpret_cast<Type *>(block)
#define UNROLL _Pragma("unroll")
#define UNROLL_TWICE _Pragma("unroll 2")
#define ROLLED _Pragma("unroll 1")

// load4 and store4 move four floats, whose place is aligned to 16 bytes, at once.
__device__ __forceinline__ void load4(float *v, const float *from) {
	float4 four = *reinterpret_cast<const float4 *>(from);
	v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
}
__device__ __forceinline__ void store4(float *to, const float *v) {
	*reinterpret_cast<float4 *>(to) = make_float4(v[0], v[1], v[2], v[3]);
}

// mmaTF32 adds a 16×8 by an 8×8 matrix product to sum, mmaBF16 a 16×16 by a 16×8 one.
__device__ __forceinline__ void mmaTF32(float sum[4], const unsigned a[4], const unsigned b[2]) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		: "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mmaBF16(float sum[4], const unsigned a[4], const unsigned b[2]) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		: "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// copyAsync begins to copy bytes, 4 or 16, from device to shared memory, both
// aligned to as many (PTX ISA, cp.async). The copies that a thread has begun since
// its last copyCommit are a group; copyWait waits until all but the thread's last
// pending groups have come. Other threads may read them after the next barrier.
// Until then nobody may touch either place.
template <int bytes>
__device__ __forceinline__ void copyAsync(float *to, const float *from) {
	static_assert(bytes == 4 || bytes == 16, "a copy is one float or four");
	unsigned at = (unsigned)__cvta_generic_to_shared(to);
	if (bytes == 16) { // past the first-level cache, which copies of this size alone can
		asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(from) : "memory");
	} else {
		asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(at), "l"(from) : "memory");
	}
}
__device__ __forceinline__ void copyCommit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int pending>
__device__ __forceinline__ void copyWait() {
	asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}
#endif

typedef unsigned int word;
typedef unsigned long long wide;

// Control is what changes from step to step. It lies in device memory, so that
// the launches of a step never change.
struct Control {
	wide seed, step;
	const int *rows;      // the batch: table rows
	const float *x;       // the Table
	const float *targets; // the Target column
	float rate;      // learning rate
	float corrected; // rate/(1-beta1^step)
	float correction; // 1/sqrt(1-beta2^step)
	int n;           // rows in the batch
	int training;
	int sick; // 0, or 1 + the instruction that first wrote a NaN or an infinity; -1: an earlier step has failed
};

// StepResult is what a step reports.
struct StepResult {
	double loss;
	int sick; // as Control.sick
	int done; // 0 where an earlier step failed
};

// Matrix is a buffer with one row a sample. A gathered one is the Table, without
// data of its own: its row i is table row Control.rows[i].
struct Matrix {
	float *data;
	int cols;
	int gathered;
};

__device__ __forceinline__ const float *rowOf(const Matrix &m, const Control &c, int i) {
	return m.gathered ? c.x + (long long)c.rows[i] * m.cols : m.data + (long long)i * m.cols;
}

// skip is whether an earlier instruction has failed: what it left must stay as it
// is. The failed one itself goes on to its end, whatever the order of its blocks.
__device__ __forceinline__ bool skip(const Control *c, int instruction) {
	return c->training && c->sick && c->sick <= instruction; // -1: the step is left out
}

// check notes that instruction wrote v.
__device__ __forceinline__ void check(Control *c, int instruction, float v) {
	if (!(fabsf(v) <= 3.402823466e38f) && c->training) c->sick = instruction + 1;
}

// philox is Philox4x32-10 (Salmon et al. 2011), as in kernels/philox.go.
__device__ __forceinline__ void philox(word c[4], word k0, word k1) {
	UNROLL for (int round = 0; round < 10; round++) {
		wide p0 = (wide)0xD2511F53u * c[0], p1 = (wide)0xCD9E8D57u * c[2];
		word c0 = (word)(p1 >> 32) ^ c[1] ^ k0, c2 = (word)(p0 >> 32) ^ c[3] ^ k1;
		c[0] = c0, c[1] = (word)p1, c[2] = c2, c[3] = (word)p0;
		k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
	}
}

enum Purpose { keepDraw, normalDraw, uniformDraw, permutationDraw };

// stepBlock is block number block of a stream that is fresh in every step.
__device__ __forceinline__ void stepBlock(word w[4], Purpose purpose, wide seed, wide step, word stream, wide block) {
	w[0] = (word)block, w[1] = (word)step;
	w[2] = ((word)(step >> 32) & 0xFFFF) | (word)purpose << 16, w[3] = stream;
	philox(w, (word)seed, (word)(seed >> 32));
}

// Draws are the random words of a stream, remembered a block of four at a time.
struct Draws {
	word w[4];
	wide block;
	bool any;
};

__device__ __forceinline__ word drawn(Draws &d, const Control &c, Purpose purpose, word stream, wide element) {
	if (!d.any || d.block != element / 4) {
		d.any = true, d.block = element / 4;
		stepBlock(d.w, purpose, c.seed, c.step, stream, d.block);
	}
	int lane = (int)(element % 4);
	return lane == 0 ? d.w[0] : lane == 1 ? d.w[1] : lane == 2 ? d.w[2] : d.w[3];
}

// keep is kernels.Keep.
__device__ __forceinline__ bool keep(Draws &d, const Control &c, word stream, wide element, float rate) {
	return !((float)(drawn(d, c, keepDraw, stream, element) >> 8) * 0x1p-24f < rate);
}

// normal is kernels.Normal.
__device__ __forceinline__ float normal(Draws &d, const Control &c, word stream, wide element) {
	drawn(d, c, normalDraw, stream, element);
	int pair = (int)(element % 4) / 2 * 2;
	word u = pair == 0 ? d.w[0] : d.w[2], v = pair == 0 ? d.w[1] : d.w[3];
	float r = sqrtf(-2 * logf((float)((u >> 8) + 1) * 0x1p-24f));
	float turn = (float)(v >> 8) * 0x1p-23f; // θ/π
	return r * (element % 2 ? sinpif(turn) : cospif(turn));
}

// Epilogue is kernels.Epilogue.
struct Epilogue {
	int activation;
	float dropRate;
	word stream;
	int reserved;
};

enum Activation { identity, relu, leakyRelu, gelu, hyperbolicTangent, logistic };

__device__ __forceinline__ float normalCDF(float z) { return 0.5f * erfcf(z * -0.70710678118654752f); }

__device__ __forceinline__ float sigmoid(float z) { return 1 / (1 + expf(-z)); }

__device__ __forceinline__ float activate(int f, float z) {
	switch (f) {
	case relu: return z <= 0 ? 0 : z; // a NaN stays
	case leakyRelu: return z <= 0 ? 0.01f * z : z;
	case gelu: return z * normalCDF(z);
	case hyperbolicTangent: return tanhf(z);
	case logistic: return sigmoid(z);
	}
	return z;
}

// slope is the derivative of the activation, from its value y (before dropout)
// or, for GELU, from its argument z.
__device__ __forceinline__ float slope(int f, float y, float z) {
	switch (f) {
	case relu: return y <= 0 ? 0 : 1;
	case leakyRelu: return y > 0 ? 1 : 0.01f;
	case gelu: return normalCDF(z) + z * 0.39894228040143268f * expf(-0.5f * z * z);
	case hyperbolicTangent: return 1 - y * y;
	case logistic: return y * (1 - y);
	}
	return 1;
}

// forward is y = dropout(f(z)) of one element.
__device__ __forceinline__ float forward(const Epilogue &e, const Control &c, Draws &d, float z, wide element) {
	float y = activate(e.activation, z);
	if (e.dropRate > 0 && c.training) {
		y = keep(d, c, e.stream, element, e.dropRate) ? y * (1 / (1 - e.dropRate)) : 0;
	}
	return y;
}

// backward is the gradient in z of one element from that in y.
__device__ __forceinline__ float backward(const Epilogue &e, const Control &c, Draws &d, float dy, float y, float z, wide element) {
	if (e.dropRate > 0) {
		if (!keep(d, c, e.stream, element, e.dropRate)) return 0;
		dy *= 1 / (1 - e.dropRate);
		y *= 1 - e.dropRate;
	}
	if (e.activation == relu) return y <= 0 ? 0 : dy;
	return e.activation == identity ? dy : dy * slope(e.activation, y, z);
}
