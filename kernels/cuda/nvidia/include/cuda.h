// Stands before the toolkit's cuda.h where gorgonia.org/cu is compiled. CUDA 13's
// header gives cuCtxCreate another parameter; the driver still has the function
// that cu calls.
#pragma once
#include_next <cuda.h>
#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#define cuCtxCreate cuCtxCreate_v2
#ifdef __cplusplus
extern "C"
#endif
CUresult CUDAAPI cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);
#endif
