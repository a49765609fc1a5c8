/* What a cuda.h before CUDA 13 says of cuCtxCreate, and no more. */
#pragma once
#define CUDA_VERSION 12090
#define CUDAAPI
typedef int CUresult;
typedef int CUdevice;
typedef struct CUctx_st *CUcontext;
#define cuCtxCreate cuCtxCreate_v2
CUresult CUDAAPI cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device);
