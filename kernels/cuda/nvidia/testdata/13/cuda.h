/* What the cuda.h of CUDA 13 says of cuCtxCreate, and no more. */
#pragma once
#define CUDA_VERSION 13000
#define CUDAAPI
typedef int CUresult;
typedef int CUdevice;
typedef struct CUctx_st *CUcontext;
typedef struct CUctxCreateParams_st CUctxCreateParams;
#define cuCtxCreate cuCtxCreate_v4
CUresult CUDAAPI cuCtxCreate(CUcontext *context, CUctxCreateParams *params, unsigned int flags, CUdevice device);
