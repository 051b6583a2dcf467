// Several inner products at once, summed in float64, always in the same order.
#include "sums.cuh"

#define MOST 4  // products

// parts (count, gridDim.x): of each pair of arrays of n entries, this block's part of the sum.
extern "C" __global__ void dot_parts(const float* a0, const float* b0, const float* a1, const float* b1, const float* a2,
                                     const float* b2, const float* a3, const float* b3, double* parts, long long n, int count) {
    const float* const a[MOST] = {a0, a1, a2, a3};
    const float* const b[MOST] = {b0, b1, b2, b3};
    for (int p = 0; p < count; p++) {
        double sum = 0;
        for (long long i = blockIdx.x * (long long)THREADS + threadIdx.x; i < n; i += (long long)gridDim.x * THREADS)
            sum += (double)a[p][i] * b[p][i];
        sum = block_sum(sum, (double*)shared);
        if (threadIdx.x == 0) parts[p * gridDim.x + blockIdx.x] = sum;
    }
}

extern "C" __global__ void dot_sums(const double* parts, double* sums, int of_each) {
    double sum = 0;
    for (int i = threadIdx.x; i < of_each; i += THREADS) sum += parts[blockIdx.x * of_each + i];
    sum = block_sum(sum, (double*)shared);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
