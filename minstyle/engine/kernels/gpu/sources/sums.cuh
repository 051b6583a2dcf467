// Sums in float64 over the threads of a block, always in the same order.
#pragma once
#include "hardware.cuh"

#define THREADS 256

__device__ inline double block_sum(double v, double* sums) {
    __syncthreads();  // nobody reads the sum before any more
    sums[threadIdx.x] = v;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
}
