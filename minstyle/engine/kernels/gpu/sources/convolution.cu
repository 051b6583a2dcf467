// Convolution 3x3, or a product at every pixel (1x1), of maps (H, W, C) with C a multiple of 4, without a copy of the
// neighbourhoods ("implicit GEMM"). A block of two warpgroups makes a patch of 8 UP x 16 pixels and N channels of the
// result. It walks over the input's channels, 32 at a time (64 of 16 bits): their patch with a frame of one pixel lies in
// shared memory and serves all nine taps; the kernels' tiles (N, 32) of each tap stream through a ring. Bias, ReLU, its mask and max
// pooling are done on the registers before anything is stored.
#include "ring.cuh"

#define COLUMNS 16
#define BLOCKS(N, UP) (N * UP > 128 ? 1 : 2)  // of one multiprocessor at a time, for its registers
#ifndef SHALLOW
#define SHALLOW 0  // 1: a ring and patches that do with little shared memory
#endif
#define STAGES_OF(N, UP, TAPS) (SHALLOW ? 2 : UP == 1 && !(N == 128 && TAPS == 1) ? 4 : 3)  // two blocks shall find room

enum Ending { STORE, RELU, RELU_POOL };

template <int UP, int TAPS> struct Patch {
    static constexpr int rows = 8 * UP, frame = TAPS == 9, pitch = COLUMNS + 2 * frame, pixels = (rows + 2 * frame) * pitch;
    static constexpr int bytes = (pixels * ROW + 1023) / 1024 * 1024;
    static constexpr int ahead = TAPS == 9 || SHALLOW ? 1 : 2, places = ahead + 1;  // patches under way, and where they come
};

struct Task {
    const Factor *x, *kernel;                  // (H, W, Cin), packed (see pack)
    const float *bias, *scale;                 // (Cout,) or 0, (H, W) or 0
    float* y;                                  // (H, W, Cout), pooled (H / 2, W / 2, Cout)
    unsigned short* half;                      // in place of y where round is HALF
    unsigned short* mask;                      // see masks.cu; or 0
    unsigned char* index;                      // (H / 2, W / 2, Cout)
    int height, width, inner, outer, add, round;
};

template <int UP, int TAPS> __device__ void load_patch(char* places, const Task& t, int top, int left, int chunk) {
    using P = Patch<UP, TAPS>;
    char* const to = places + chunk % P::places * P::bytes;
    const int channel = chunk * CHANNELS;
    if (channel >= t.inner) return end_of_group();
#pragma unroll 2
    for (int i = threadIdx.x; i < P::pixels * 8; i += WORKERS) {
        const int pixel = i >> 3, c = channel + (i & 7) * PER_PIECE;
        const int row = top + pixel / P::pitch - P::frame, column = left + pixel % P::pitch - P::frame;
        const bool there = row >= 0 && row < t.height && column >= 0 && column < t.width && c < t.inner;
        const long long at = there ? ((long long)row * t.width + column) * t.inner + c : 0;
        copy_async((void*)piece(to, pixel, i & 7), t.x + at, there);
    }
    end_of_group();
}

__device__ inline float ended(float v, bool relu, int round) {
    v = relu && v < 0 ? 0.0f : v;  // NaN stays NaN
    return round == TF32 ? to_tf32(v) : v;
}

// A thread's two pixels, one above the other, are stored, and the bits of those above zero.
template <int N> __device__ void store(const float* acc, const Task& t, int row, int column, int n0, bool relu) {
    const int lane = threadIdx.x & 31, groups = (t.outer + 63) / 64;
#pragma unroll
    for (int below = 0; below < 2; below++) {
        if (row + below >= t.height || column >= t.width) continue;
        const long long pixel = (long long)(row + below) * t.width + column;
        const float scale = t.scale ? t.scale[pixel] : 1.0f;
        unsigned bits = 0;
#pragma unroll
        for (int j = 0; j < N / 8; j++) {
            const int n = n0 + 8 * j + 2 * (lane & 3);
            if (n < t.outer) {
                float2 v;
                v.x = ended(acc[4 * j + 2 * below] * scale, relu, t.round);
                v.y = ended(acc[4 * j + 2 * below + 1] * scale, relu, t.round);
                bits |= (unsigned)((v.x > 0) | (v.y > 0) << 1) << (2 * (j & 7));
                if (t.round == HALF) {
                    *(uint32*)(t.half + pixel * t.outer + n) = pair(half_of(v.x), half_of(v.y));
                } else {
                    float2* y = (float2*)(t.y + pixel * t.outer + n);
                    if (t.add) { const float2 old = *y; v.x += old.x; v.y += old.y; }
                    *y = v;
                }
            }
            if ((j & 7) == 7) {
                const int group = (n0 >> 6) + (j >> 3);
                if (t.mask && group < groups) t.mask[(pixel * groups + group) * 4 + (lane & 3)] = (unsigned short)bits;
                bits = 0;
            }
        }
    }
}

__device__ inline float larger(float a, float b) { return a > b || a != a ? a : b; }  // NaN if one is

// Two threads share a window of 2 x 2 pixels: that of the left column takes the first channel of each pair.
template <int N> __device__ void store_pooled(const float* acc, const Task& t, int row, int column, int n0) {
    const int lane = threadIdx.x & 31, right = column & 1, height = t.height / 2, width = t.width / 2;
    const bool there = row / 2 < height && column / 2 < width;
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        const float* v = acc + 4 * j;
        const float up = from_lane_xor(right ? v[0] : v[1], 4), down = from_lane_xor(right ? v[2] : v[3], 4);
        const float a = right ? up : v[0], b = right ? v[1] : up, c = right ? down : v[2], d = right ? v[3] : down;
        const float top = larger(a, b), bottom = larger(c, d), most = larger(top, bottom);
        const int index = bottom > top ? 2 + (d > c) : b > a;
        const int n = n0 + 8 * j + 2 * (lane & 3) + right;
        if (there && n < t.outer) {
            const long long at = ((long long)(row / 2) * width + column / 2) * t.outer + n;
            const float v = ended(most, true, t.round);
            if (t.round == HALF) t.half[at] = half_of(v);
            else t.y[at] = v;
            t.index[at] = (unsigned char)(most > 0 ? index : 4);
        }
    }
}

template <int N, int UP, int TAPS, int ENDING> __device__ void convolve(const Task& t) {
    using P = Patch<UP, TAPS>;
    char* const patches = (char*)(((uint64)shared + 1023) / 1024 * 1024);
    const int blocks = (t.outer + N - 1) / N, n = blockIdx.x % blocks, n0 = n * N, patch = blockIdx.x / blocks;
    const int across = (t.width + COLUMNS - 1) / COLUMNS;
    const int top = patch / across * P::rows, left = patch % across * COLUMNS;
    const int chunks = (t.inner + CHANNELS - 1) / CHANNELS, group = threadIdx.x >> 7;
    const long long tiles = (long long)chunks * TAPS;

    if (threadIdx.x < WORKERS)
        for (int i = 0; i < P::ahead; i++) load_patch<UP, TAPS>(patches, t, top, left, i);
    using Tiles = Ring<N, STAGES_OF(N, UP, TAPS)>;
    Tiles ring(patches + P::places * P::bytes, t.kernel + n * tiles * N * CHANNELS, (int)tiles);
    if (threadIdx.x >= WORKERS) return ring.serve();
    float acc[UP * N / 2];
#pragma unroll
    for (int i = 0; i < UP * N / 2; i++) acc[i] = 0;

    // Every loop runs at least once: a way around would be one more place where acc is written, and wgmma would wait.
    int chunk = 0;
#pragma unroll 1
    do {
        wait_for_groups<TAPS == 9 ? Tiles::groups : P::ahead - 1>();
        show_copies();
        meet<WORKERS>();  // the patch is there
        const char* const a = patches + chunk % P::places * P::bytes;
        int tap = 0;
#pragma unroll 1
        do {
            const char* const b = ring.wait();
            const int first = (TAPS == 9 ? tap / 3 * P::pitch + tap % 3 : 0) + 8 * group;
            begin_products();
#pragma unroll
            for (int u = 0; u < UP; u++) multiply<N>(acc + u * N / 2, a, first + 8 * u * P::pitch, P::pitch, b);
            end_products();
            all_but_the_last();
            ring.next();
            if (tap == 0) {
                meet<WORKERS>();  // nobody reads the patch before any more
                load_patch<UP, TAPS>(patches, t, top, left, chunk + P::ahead);
            }
        } while (++tap < TAPS);
    } while (++chunk < chunks);
    finish<UP * N / 2>(acc);

    const int lane = threadIdx.x & 31, column = left + 8 * group + (lane >> 2);
#pragma unroll
    for (int u = 0; u < UP; u++) {
        float* const of = acc + u * N / 2;
        const int row = top + 8 * u + 2 * (threadIdx.x >> 5 & 3);
        if (t.bias) {
#pragma unroll
            for (int j = 0; j < N / 8; j++) {
                const int n = n0 + 8 * j + 2 * (lane & 3);
                const float2 bias = n < t.outer ? *(const float2*)(t.bias + n) : make_float2(0, 0);
                of[4 * j] += bias.x; of[4 * j + 1] += bias.y; of[4 * j + 2] += bias.x; of[4 * j + 3] += bias.y;
            }
        }
        if constexpr (ENDING == RELU_POOL) store_pooled<N>(of, t, row, column, n0);
        else store<N>(of, t, row, column, n0, ENDING == RELU);
    }
}

// With ONLY, the name of a kernel, that alone is compiled, in a twelfth of the time.
#ifdef ONLY
#define NAMED(name) #name
#define TEXT(name) NAMED(name)
constexpr bool wanted(const char* name) {
    const char* other = TEXT(ONLY);
    while (*name && *name == *other) { name++; other++; }
    return *name == *other;
}
#else
constexpr bool wanted(const char* name) { return true; }
#endif

#define KERNEL(name, N, UP, TAPS, ENDING)                                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS(N, UP)) name##_##N##_##UP(                           \
        const Factor* x, const Factor* kernel, const float* bias, const float* scale, float* y, unsigned short* half,  \
        unsigned short* mask, unsigned char* index, int height, int width, int inner, int outer, int add, int round) { \
        if constexpr (wanted(#name "_" #N "_" #UP)) convolve<N, UP, TAPS, ENDING>(                                     \
            {x, kernel, bias, scale, y, half, mask, index, height, width, inner, outer, add, round});                  \
    }
#define KERNELS(N, UP)                              \
    KERNEL(convolve, N, UP, 9, STORE)               \
    KERNEL(convolve_relu, N, UP, 9, RELU)           \
    KERNEL(convolve_relu_pool, N, UP, 9, RELU_POOL) \
    KERNEL(product, N, UP, 1, STORE)
KERNELS(64, 1)
KERNELS(64, 2)
KERNELS(128, 1)
#ifdef WIDE
KERNELS(128, 2)
#endif

// A kernel (taps, inner, outer), its entry (tap, k, n) at tap * of_tap + k * of_inner + n * of_outer of `from`, in the
// order in which convolve reads it: (outer / N, inner / 32, taps, N, 32), zeros beyond, pieces placed as in products.cuh;
// of 16 bits with 64 in place of 32. A block makes 32 rows of a tile, through shared memory, so that it reads in the order
// of memory too.
extern "C" __global__ void pack(const float* from, Factor* to, int n_tile, int taps, int inner, int outer, int of_tap, int of_inner,
                                int of_outer, int round) {
    float* const part = (float*)shared;  // (32 channels of the result, 33)
    const int chunks = (inner + CHANNELS - 1) / CHANNELS, chunk = blockIdx.x, tap = blockIdx.y, n0 = blockIdx.z * 32;
    const int fast = threadIdx.x & 31, slow = threadIdx.x >> 5, by_outer = of_outer < of_inner;
    for (int first = 0; first < CHANNELS; first += 32) {
        for (int i = slow; i < 32; i += blockDim.x / 32) {
            const int k = chunk * CHANNELS + first + (by_outer ? i : fast), n = n0 + (by_outer ? fast : i);
            const float v = k < inner && n < outer ? from[(long long)tap * of_tap + k * of_inner + n * of_outer] : 0.0f;
            part[(by_outer ? fast : i) * 33 + (by_outer ? i : fast)] = v;
        }
        __syncthreads();
        for (int i = slow; i < 32; i += blockDim.x / 32) {
            const int n = n0 + i, row = n % n_tile, c = first + fast;
            const long long tile = ((long long)(n / n_tile) * chunks + chunk) * taps + tap;
            to[(tile * n_tile + row) * CHANNELS + (c / PER_PIECE ^ row & 7) * PER_PIECE + c % PER_PIECE] =
                factor_of(part[i * 33 + fast], round);
        }
        __syncthreads();
    }
}
