// Products of small matrices, and the weighted sum of a map's rows, without matrix units, on any card: CuPy calls no
// library while a stream is recorded.
#include "hardware.cuh"

#define SIDE 32    // of a tile
#define PITCH 33   // of its rows in memory
#define THREADS 256

// y (rows, columns) = factor * a (rows, inner) b (inner, columns) + of_c * c, without c where it is 0; of each of a and b,
// turned: its transpose lies in memory.
template <typename T> __device__ inline void multiply(const T* a, const T* b, const T* c, T* y, int rows, int columns, int inner,
                                                      int a_turned, int b_turned, T factor, T of_c) {
    T *const left = (T*)shared, *const right = left + SIDE * PITCH;
    const int across = (columns + SIDE - 1) / SIDE, top = blockIdx.x / across * SIDE, first = blockIdx.x % across * SIDE;
    const int fast = threadIdx.x % SIDE, slow = threadIdx.x / SIDE, step = THREADS / SIDE;
    const long long a_row = a_turned ? 1 : inner, a_inner = a_turned ? rows : 1;
    const long long b_inner = b_turned ? 1 : columns, b_column = b_turned ? inner : 1;
    T sums[SIDE * SIDE / THREADS] = {};
    for (int k0 = 0; k0 < inner; k0 += SIDE) {
        for (int i = slow; i < SIDE; i += step) {
            const int row = top + i, k = k0 + fast, column = first + fast;
            left[i * PITCH + fast] = row < rows && k < inner ? a[row * a_row + k * a_inner] : 0;
            right[i * PITCH + fast] = k0 + i < inner && column < columns ? b[(k0 + i) * b_inner + column * b_column] : 0;
        }
        __syncthreads();
        for (int k = 0; k < SIDE; k++)
            for (int i = 0; i < SIDE * SIDE / THREADS; i++)
                sums[i] += left[(slow + i * step) * PITCH + k] * right[k * PITCH + fast];
        __syncthreads();
    }
    for (int i = 0; i < SIDE * SIDE / THREADS; i++) {
        const int row = top + slow + i * step, column = first + fast;
        if (row >= rows || column >= columns) continue;
        const long long at = (long long)row * columns + column;
        y[at] = factor * sums[i] + (c ? of_c * c[at] : 0);
    }
}

#define MATMUL(name, T)                                                                                             \
    extern "C" __global__ void name(const T* a, const T* b, const T* c, T* y, int rows, int columns, int inner,     \
                                    int a_turned, int b_turned, T factor, T of_c) {                                 \
        multiply(a, b, c, y, rows, columns, inner, a_turned, b_turned, factor, of_c);                               \
    }
MATMUL(matmul, float)
MATMUL(matmul_double, double)

// parts (channels, gridDim.y): of each channel of a map (rows, channels), this block's part of the sum over rows, each
// times its weight.
extern "C" __global__ void row_parts(const float* map, const float* weights, double* parts, long long rows, int channels) {
    double* const sums = (double*)shared;
    const int channel = blockIdx.x * SIDE + threadIdx.x % SIDE, step = THREADS / SIDE;
    double sum = 0;
    if (channel < channels)
        for (long long row = (long long)blockIdx.y * step + threadIdx.x / SIDE; row < rows; row += (long long)gridDim.y * step)
            sum += (double)weights[row] * map[row * channels + channel];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x >= SIDE || channel >= channels) return;
    for (int i = 1; i < step; i++) sum += sums[i * SIDE + threadIdx.x];
    parts[channel * gridDim.y + blockIdx.y] = sum;
}
