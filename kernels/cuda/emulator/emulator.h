// The words of CUDA for a C++ compiler, and the engine behind them: what a kernel
// needs in order to run, unchanged, on the processor.
#pragma once
#define EMULATED

#include <cmath>
#include <cstddef>
#include <cstdint>

#define __device__
#define __forceinline__ inline
#define UNROLL
#define UNROLL_TWICE
#define ROLLED

#define KERNEL(name, Args, threads)                                            \
	static void name(const Args &a);                                           \
	static emulator::Kernel name##Kernel(#name, sizeof(Args), threads,         \
		[](const void *p) { name(*static_cast<const Args *>(p)); });           \
	static void name(const Args &a)

#define SHARED(Type, name) Type *name = static_cast<Type *>(emulator::sharedMemory())

#define threadIdx (emulator::thread().index)
#define blockIdx (emulator::thread().block)
#define __syncthreads() emulator::barrier(__FILE__, __LINE__)
#define __shfl_xor_sync(mask, v, lane) emulator::shuffleXor(mask, v, lane, __FILE__, __LINE__)

namespace emulator {

struct Index {
	unsigned x, y, z;
};

// Thread is what the running thread may ask about itself.
struct Thread {
	Index index, block;
};
Thread &thread();

void *sharedMemory();
void barrier(const char *file, int line);
std::uint64_t shuffle(unsigned mask, std::uint64_t bits, int from, const char *file, int line);
void beginCopy(void *to, const void *from, std::size_t bytes);
void commitCopies();
void waitForCopies(std::size_t pending);
void checkAligned(const void *p, std::size_t bytes);

template <class T>
T shuffleXor(unsigned mask, T v, int lane, const char *file, int line) {
	static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
	std::uint64_t bits = 0;
	__builtin_memcpy(&bits, &v, sizeof(T));
	bits = shuffle(mask, bits, int(thread().index.x % 32) ^ lane, file, line);
	__builtin_memcpy(&v, &bits, sizeof(T));
	return v;
}

// shuffleFrom is lane from's word: its second where half is set.
inline unsigned shuffleFrom(unsigned first, unsigned second, int half, int from) {
	std::uint64_t both = shuffle(0xFFFFFFFFu, std::uint64_t(second) << 32 | first, from, __FILE__, __LINE__);
	return unsigned(half ? both >> 32 : both);
}

// Kernel registers a kernel under its name when the program starts.
struct Kernel {
	const char *name;
	std::size_t argsSize;
	int threads; // the most that a block may have
	void (*run)(const void *args);
	Kernel *next;
	Kernel(const char *name, std::size_t argsSize, int threads, void (*run)(const void *));
};

} // namespace emulator

inline unsigned __float_as_uint(float v) {
	unsigned bits;
	__builtin_memcpy(&bits, &v, sizeof bits);
	return bits;
}
inline float __uint_as_float(unsigned bits) {
	float v;
	__builtin_memcpy(&v, &bits, sizeof v);
	return v;
}

// The matrix units: every lane fetches what it needs of the others' operands.
// depth is 8 with one tf32 in a word, 16 with two bf16.
template <int depth>
void emulateMMA(float sum[4], const unsigned a[4], const unsigned b[2]) {
	const int lane = int(threadIdx.x % 32), each = depth / 8;
	float left[2][depth], right[2][depth]; // rows g and g+8, columns 2q and 2q+1
	for (int k = 0; k < depth; k++) {
		int q = k / each % 4, half = k / (4 * each);
		for (int r = 0; r < 2; r++) {
			unsigned l = emulator::shuffleFrom(a[r], a[2 + r], half, lane / 4 * 4 + q);
			unsigned w = emulator::shuffleFrom(b[0], b[1], half, (lane % 4 * 2 + r) * 4 + q);
			if (each == 2) {
				l = k % 2 ? l & 0xFFFF0000u : l << 16;
				w = k % 2 ? w & 0xFFFF0000u : w << 16;
			}
			left[r][k] = __uint_as_float(l), right[r][k] = __uint_as_float(w);
		}
	}
	for (int r = 0; r < 4; r++) {
		for (int k = 0; k < depth; k++) sum[r] += left[r / 2][k] * right[r % 2][k];
	}
}
inline void mmaTF32(float sum[4], const unsigned a[4], const unsigned b[2]) { emulateMMA<8>(sum, a, b); }
inline void mmaBF16(float sum[4], const unsigned a[4], const unsigned b[2]) { emulateMMA<16>(sum, a, b); }

// Copies to shared memory that come late: see Copy in engine.cpp.
template <int bytes>
void copyAsync(float *to, const float *from) {
	static_assert(bytes == 4 || bytes == 16, "a copy is one float or four");
	emulator::beginCopy(to, from, bytes);
}
inline void copyCommit() { emulator::commitCopies(); }
template <int pending>
void copyWait() { emulator::waitForCopies(pending); }

inline void load4(float *v, const float *from) {
	emulator::checkAligned(from, 4 * sizeof *v);
	for (int i = 0; i < 4; i++) v[i] = from[i];
}
inline void store4(float *to, const float *v) {
	emulator::checkAligned(to, 4 * sizeof *v);
	for (int i = 0; i < 4; i++) to[i] = v[i];
}

inline int atomicMin(int *p, int v) {
	int old = *p;
	if (v < old) *p = v;
	return old;
}
inline int min(int a, int b) { return a < b ? a : b; }
// A volatile product is rounded before it is added to anything.
inline float __fmul_rn(float a, float b) {
	volatile float product = a * b;
	return product;
}
inline float sinpif(float x) { return float(std::sin(x * 3.14159265358979323846)); }
inline float cospif(float x) { return float(std::cos(x * 3.14159265358979323846)); }
