// The Gram matrix F^T diag(w) F of F (M, C), C a multiple of 4. A block has a tile of 64 x 64 of the result, on or above
// the diagonal, and some of the rows of F; the parts of its sum are added up by another kernel, always in the same order.
#include "hardware.cuh"

#define SIDE 64
#define DEPTH 32          // rows of F at a time
#define PITCH 72          // floats from row to row in shared memory: no two lanes of a warp meet in a bank
#define THREADS 128
#define STAGE (2 * DEPTH * PITCH)

// Tile number n of the upper triangle, row by row, of `side` tiles a row. -> its row and column
__device__ inline void tile_of(int n, int side, int* i, int* j) {
    int row = 0;
    while (n >= side - row) n -= side - row++;
    *i = row; *j = row + n;
}

__device__ inline void load_rows(float* to, const float* f, long long row, long long end, int channels, int c0) {
    for (int i = threadIdx.x; i < DEPTH * SIDE / 4; i += THREADS) {
        const int r = i / (SIDE / 4), c = c0 + i % (SIDE / 4) * 4;
        const bool there = row + r < end && c < channels;
        copy_async(to + r * PITCH + i % (SIDE / 4) * 4, f + (there ? (row + r) * channels + c : 0), there);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) gram_parts(const float* f, const float* weights, float* parts,
                                                                 long long rows, int channels, long long step) {
    float* const memory = (float*)shared;  // two stages, each DEPTH rows of both tiles' channels
    const int side = (channels + SIDE - 1) / SIDE, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int ti, tj;
    tile_of(blockIdx.x, side, &ti, &tj);
    const long long begin = blockIdx.y * step, end = begin + step < rows ? begin + step : rows;
    const int count = begin < end ? (int)((end - begin + DEPTH - 1) / DEPTH) : 0;
    const int m0 = warp / 2 * 32 + (lane >> 2), n0 = warp % 2 * 32;
    float acc[2][4][4] = {};

    auto load = [&](int n) {
        if (n < count) {
            float* const to = memory + n % 2 * STAGE;
            load_rows(to, f, begin + (long long)n * DEPTH, end, channels, ti * SIDE);
            if (tj != ti) load_rows(to + DEPTH * PITCH, f, begin + (long long)n * DEPTH, end, channels, tj * SIDE);
        }
        end_of_group();
    };
    load(0);
    for (int n = 0; n < count; n++) {
        load(n + 1);
        wait_for_groups<1>();
        __syncthreads();
        const float *a = memory + n % 2 * STAGE, *b = tj == ti ? a : a + DEPTH * PITCH;
        const long long row = begin + (long long)n * DEPTH;
#if PRODUCT >= 1
        for (int k = 0; k < DEPTH; k += 8) {
            const int at = k + (lane & 3);
            const float w0 = !weights ? 1 : row + at < end ? weights[row + at] : 0;
            const float w1 = !weights ? 1 : row + at + 4 < end ? weights[row + at + 4] : 0;
            uint32 u[2][4], v[4][2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const float* const p = a + at * PITCH + m0 + 16 * i;
                u[i][0] = __float_as_uint(to_tf32(p[0] * w0)); u[i][1] = __float_as_uint(to_tf32(p[8] * w0));
                u[i][2] = __float_as_uint(to_tf32(p[4 * PITCH] * w1)); u[i][3] = __float_as_uint(to_tf32(p[4 * PITCH + 8] * w1));
            }
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const float* const p = b + at * PITCH + n0 + 8 * j + (lane >> 2);
                v[j][0] = __float_as_uint(to_tf32(p[0])); v[j][1] = __float_as_uint(to_tf32(p[4 * PITCH]));
            }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) mma(acc[i][j], u[i], v[j]);
        }
#else
        for (int k = 0; k < DEPTH; k++) {
            const float w = !weights ? 1 : row + k < end ? weights[row + k] : 0;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float u = a[k * PITCH + m0 + 8 * i] * w;
#pragma unroll
                for (int j = 0; j < 8; j++)
                    acc[i / 2][j / 2][i % 2 * 2 + j % 2] += u * b[k * PITCH + n0 + j / 2 * 8 + 2 * (lane & 3) + j % 2];
            }
        }
#endif
        __syncthreads();
    }
    float* const to = parts + ((long long)blockIdx.y * gridDim.x + blockIdx.x) * SIDE * SIDE;
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                to[(m0 + 16 * i + e / 2 * 8) * SIDE + n0 + 8 * j + 2 * (lane & 3) + e % 2] = acc[i][j][e];
}

#define ENTRIES 32  // of the sum that a block has
#define LANES 8     // threads that share one

extern "C" __global__ void gram_sum(const float* parts, float* gram, int channels, int tiles, int count) {
    double* const sums = (double*)shared;  // (LANES, ENTRIES)
    const int entry = threadIdx.x % ENTRIES, lane = threadIdx.x / ENTRIES, i = blockIdx.x * ENTRIES + entry;
    double sum = 0;
#pragma unroll 4
    for (int part = lane; part < count; part += LANES) sum += parts[(long long)part * tiles * SIDE * SIDE + i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (lane > 0) return;
    for (int other = 1; other < LANES; other++) sum += sums[other * ENTRIES + entry];
    int ti, tj;
    tile_of(i / (SIDE * SIDE), (channels + SIDE - 1) / SIDE, &ti, &tj);
    const int row = ti * SIDE + i / SIDE % SIDE, column = tj * SIDE + i % SIDE;
    if (row >= channels || column >= channels || row > column) return;
    gram[(long long)row * channels + column] = gram[(long long)column * channels + row] = (float)sum;
}
