// CUDA's kernels on a processor, slowly and strictly: the threads of a block are fibers of one thread that take turns at
// barriers, copies arrive no earlier than they are waited for, blocks run one after the other.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __device__
#define __global__
#define __shared__
#define __launch_bounds__(...)
#ifndef PRODUCT
#define PRODUCT 0
#endif

typedef unsigned int uint32;
typedef unsigned long long uint64;
struct dim3 { int x, y, z; };
struct alignas(8) uint2 { uint32 x, y; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

static dim3 threadIdx, blockIdx, blockDim, gridDim;
static constexpr size_t MOST_SHARED = 227 * 1024;
alignas(1024) char shared[MOST_SHARED + 64];

namespace on_cpu {

struct Copy { void* to; const void* from; bool there; };

static constexpr size_t STACK = 1 << 16;

struct Fiber {
    ucontext_t context;  // where it begins; from then on jumps, which ask nothing of the system
    jmp_buf place;
    bool begun = false;
    std::unique_ptr<char[]> stack{new char[STACK]};
    bool done = false;
    long barriers = 0, meetings = 0, exchanges = 0;
    std::vector<std::vector<Copy>> groups{1};
};

static std::vector<std::unique_ptr<Fiber>> fibers;
static std::vector<float> slots;
static jmp_buf scheduler;
static int current;
static std::function<void()> body;

inline void next() {
    if (_setjmp(fibers[current]->place) == 0) _longjmp(scheduler, 1);
}

inline void resume(Fiber& fiber) {
    if (_setjmp(scheduler) != 0) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
}

// Until every thread from `first` to `last` that still runs has counted as far as this one.
inline void meet(long Fiber::*counter, int first, int last) {
    const long mine = ++(fibers[current].get()->*counter);
    for (int i = first; i < last; i++)
        while (!fibers[i]->done && fibers[i].get()->*counter < mine) next();
}

inline void arrive(std::vector<Copy>& group) {
    for (const Copy& copy : group) copy.there ? memcpy(copy.to, copy.from, 16) : memset(copy.to, 0, 16);
    group.clear();
}

inline void entry() {
    body();
    fibers[current]->done = true;
    next();
}

inline void run_block(int threads) {
    slots.assign(threads, 0);
    while ((int)fibers.size() < threads) fibers.push_back(std::make_unique<Fiber>());
    for (int i = 0; i < threads; i++) {
        Fiber& fiber = *fibers[i];
        fiber.done = fiber.begun = false;
        fiber.barriers = fiber.meetings = fiber.exchanges = 0;
        fiber.groups.assign(1, {});
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, entry, 0);
    }
    for (int left = threads; left > 0;) {
        left = 0;
        for (current = 0; current < threads; current++) {
            if (fibers[current]->done) continue;
            threadIdx = {current, 0, 0};
            resume(*fibers[current]);
            left += !fibers[current]->done;
        }
    }
}

inline void launch(dim3 grid, int threads, size_t bytes, std::function<void()> kernel) {
    if (bytes > MOST_SHARED) { fprintf(stderr, "%zu bytes of shared memory\n", bytes); abort(); }
    gridDim = grid;
    blockDim = {threads, 1, 1};
    body = std::move(kernel);
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
                memset(shared, 0xff, sizeof shared);  // NaN: what nobody wrote shows
                run_block(threads);
                for (size_t i = bytes; i < sizeof shared; i++)
                    if (shared[i] != (char)0xff) { fprintf(stderr, "shared memory written at %zu of %zu\n", i, bytes); abort(); }
            }
}

}  // namespace on_cpu

inline void __syncthreads() { on_cpu::meet(&on_cpu::Fiber::barriers, 0, blockDim.x); }

template <int COUNT> inline void meet() { on_cpu::meet(&on_cpu::Fiber::meetings, 0, COUNT); }

inline float from_lane_xor(float value, int mask) {
    const int me = on_cpu::current, first = me / 32 * 32, last = std::min(first + 32, blockDim.x);
    on_cpu::slots[me] = value;
    on_cpu::meet(&on_cpu::Fiber::exchanges, first, last);
    const float other = on_cpu::slots[me ^ mask];
    on_cpu::meet(&on_cpu::Fiber::exchanges, first, last);
    return other;
}

inline void copy_async(void* to, const void* from, bool there) {
    if ((uintptr_t)to % 16 || (there && (uintptr_t)from % 16)) { fprintf(stderr, "a copy that is not aligned\n"); abort(); }
    on_cpu::fibers[on_cpu::current]->groups.back().push_back({to, from, there});
}
inline void end_of_group() { on_cpu::fibers[on_cpu::current]->groups.emplace_back(); }
template <int N> inline void wait_for_groups() {
    auto& groups = on_cpu::fibers[on_cpu::current]->groups;
    while (groups.size() > N + 1) {
        on_cpu::arrive(groups.front());
        groups.erase(groups.begin());
    }
}

inline float to_tf32(float x) {
    uint32 bits;
    memcpy(&bits, &x, 4);
    if ((bits & 0x7f800000) != 0x7f800000) bits = (bits + 0x1000) & ~0x1fffu;
    memcpy(&x, &bits, 4);
    return x;
}

inline uint32 bits_of(float x) { uint32 bits; memcpy(&bits, &x, 4); return bits; }
inline float float_of(uint32 bits) { float x; memcpy(&x, &bits, 4); return x; }

// To the nearest, ties to even.
inline unsigned short to_bfloat(float x) {
    const uint32 bits = bits_of(x);
    return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline unsigned short to_half(float x) {
    const uint32 sign = bits_of(x) >> 16 & 0x8000;
    const float size = std::fabs(x);
    if (x != x) return 0x7fff;
    if (size >= 65520.0f) return sign | 0x7c00;
    int exponent = -24;
    if (size > 0) std::frexp(size, &exponent);
    const int step = std::max(exponent - 11, -24);  // of the numbers about it: a power of two
    const int count = (int)std::nearbyint(std::ldexp(size, -step));  // 1024 to 2048 of them, fewer below the smallest normal
    return sign | (step + 24) * 1024 + count;  // a 2048 carries into the exponent
}
template <int KIND> inline float wide(unsigned short bits) {
    if (KIND == 2) return float_of((uint32)bits << 16);
    const int exponent = bits >> 10 & 31, rest = bits & 1023;
    const float size = exponent == 31 ? (rest ? NAN : INFINITY) : std::ldexp((float)(exponent ? rest + 1024 : rest), std::max(exponent, 1) - 25);
    return bits & 0x8000 ? -size : size;
}

// The value of a barrier in shared memory here: its phase in the high half, the arrivals that it waits for in the low.
namespace on_cpu { static std::vector<std::pair<uint64*, int>> counts; }
inline void init_barrier(uint64* barrier, int arrivals) {
    auto& counts = on_cpu::counts;
    counts.erase(std::remove_if(counts.begin(), counts.end(), [=](auto& c) { return c.first == barrier; }), counts.end());
    counts.push_back({barrier, arrivals});
    *barrier = arrivals;
}
inline void show_barriers() {}
inline void arrive(uint64* barrier) {
    if ((int)(*barrier & 0xffff) == 0) { fprintf(stderr, "one arrival too many\n"); abort(); }
    if ((--*barrier & 0xffff) == 0)
        for (auto& count : on_cpu::counts)
            if (count.first == barrier) *barrier = ((*barrier >> 32) + 1) << 32 | count.second;
}
inline void wait_for(uint64* barrier, int parity) {
    while ((int)(*barrier >> 32 & 1) == parity) on_cpu::next();
}
inline void arrive_and_expect(uint64* barrier, int) {}  // the copies arrive, all bytes at once
inline void copy_run(void* to, const void* from, int bytes, uint64* barrier) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16 || bytes % 16) { fprintf(stderr, "a run that is not aligned\n"); abort(); }
    memcpy(to, from, bytes);
    arrive(barrier);
}
