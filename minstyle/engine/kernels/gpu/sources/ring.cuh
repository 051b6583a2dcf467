// The tiles (N, CHANNELS) of a packed kernel, one behind the other in memory, pass through STAGES places of shared memory. Each
// thread that multiplies takes them in order: wait() for the next tile, use it, and next() when the products before its
// own are finished.
#pragma once
#include "products.cuh"

#define WORKERS 256  // threads that multiply, two warpgroups
#ifndef RUNS
#define RUNS (PRODUCT == 2)
#endif

#if RUNS

// Hopper: a thread of a warp of its own has whole tiles copied, and barriers in memory say who waits for what.
#define THREADS (WORKERS + 32)

template <int N, int STAGES> struct Ring {
    static constexpr int bytes = N * ROW, groups = 0;  // groups of copies that come after a patch's
    char* places;
    uint64 *full, *empty;  // the tile has come; both warpgroups have used it
    const char* tiles;
    int count, step = 0;

    __device__ Ring(char* memory, const void* tiles, int count)
        : places(memory), full((uint64*)(memory + STAGES * bytes)), empty(full + STAGES), tiles((const char*)tiles), count(count) {
        if (threadIdx.x == 0) {
            for (int i = 0; i < STAGES; i++) { init_barrier(full + i, 1); init_barrier(empty + i, WORKERS / 128); }
            show_barriers();
        }
        __syncthreads();
    }
    __device__ void serve() {
        if (threadIdx.x != WORKERS) return;
        for (int i = 0; i < count; i++) {
            const int place = i % STAGES;
            if (i >= STAGES) wait_for(empty + place, i / STAGES - 1 & 1);
            arrive_and_expect(full + place, bytes);
            copy_run(places + place * bytes, tiles + (long long)i * bytes, bytes, full + place);
        }
    }
    __device__ const char* wait() {
        wait_for(full + step % STAGES, step / STAGES & 1);
        return places + step % STAGES * bytes;
    }
    __device__ void next() {
        if (step > 0 && (threadIdx.x & 127) == 0) arrive(empty + (step - 1) % STAGES);
        step++;
    }
};

#else

#define THREADS WORKERS

template <int N, int STAGES> struct Ring {
    static constexpr int bytes = N * ROW, groups = STAGES - 2;
    char* places;
    const char* tiles;
    int count, step = 0;

    __device__ Ring(char* memory, const void* tiles, int count) : places(memory), tiles((const char*)tiles), count(count) {
        for (int i = 0; i < STAGES - 1; i++) fetch(i);
    }
    __device__ void serve() {}
    __device__ void fetch(int i) {
        if (i < count)
            for (int at = threadIdx.x * 16; at < bytes; at += WORKERS * 16)
                copy_async(places + i % STAGES * bytes + at, tiles + (long long)i * bytes + at, true);
        end_of_group();
    }
    __device__ const char* wait() {
        // A patch's group may be among the latest: one more of ours then comes early.
        wait_for_groups<STAGES - 2>();
        __syncthreads();
        fetch(step + STAGES - 1);  // to the place of the tile before, which nobody reads any more
        return places + step % STAGES * bytes;
    }
    __device__ void next() { step++; }
};

#endif
