/* The highest rates of this processor: products in registers, and bytes through one core.
   Each function repeats its work and returns a value that depends on all of it. */

#include <immintrin.h>
#include <stddef.h>

#define CHAINS 12 /* independent sums: as many as hide an instruction's latency */

#ifdef __AVX512F__
typedef __m512 floats;
typedef __m512i integers;
#define ADD_PRODUCTS(x, a, b) _mm512_fmadd_ps(a, b, x)
#define SET_FLOATS(x) _mm512_set1_ps(x)
#define LOAD(p) _mm512_load_si512((const void *)(p))
#define STORE(p, x) _mm512_store_si512((void *)(p), x)
#define OR(a, b) _mm512_or_si512(a, b)
#define ZERO _mm512_setzero_si512()
#else
typedef __m256 floats;
typedef __m256i integers;
#define ADD_PRODUCTS(x, a, b) _mm256_fmadd_ps(a, b, x)
#define SET_FLOATS(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define STORE(p, x) _mm256_store_si256((__m256i *)(p), x)
#define OR(a, b) _mm256_or_si256(a, b)
#define ZERO _mm256_setzero_si256()
#endif

/* Hides values from the compiler, which would otherwise compute the loop beforehand. */
#define OPAQUE(x) __asm__ volatile("" : "+v"(x))
#define MEMORY_CHANGES __asm__ volatile("" ::: "memory")

/* Multiply-adds in one turn of each of the loops below; 0 where the processor has no such ones. */
int macs_float32(void) { return CHAINS * sizeof(floats) / 4; }

float run_float32(long turns) {
    floats sums[CHAINS], a = SET_FLOATS(1e-9f), b = SET_FLOATS(1e-9f);
    for (int i = 0; i < CHAINS; i++) sums[i] = SET_FLOATS(0.0f);
    for (long t = 0; t < turns; t++) {
        OPAQUE(a);
        for (int i = 0; i < CHAINS; i++) sums[i] = ADD_PRODUCTS(sums[i], a, b);
    }
    for (int i = 0; i < CHAINS; i++) OPAQUE(sums[i]);
    return ((float *)sums)[0];
}

#ifdef __AVX512BF16__
int macs_bfloat16(void) { return CHAINS * 32; }

float run_bfloat16(long turns) {
    __m512 sums[CHAINS];
    __m512i bits = _mm512_set1_epi16(0x2f80);
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_setzero_ps();
    for (long t = 0; t < turns; t++) {
        OPAQUE(bits);
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)bits, (__m512bh)bits);
    }
    for (int i = 0; i < CHAINS; i++) OPAQUE(sums[i]);
    return ((float *)sums)[0];
}
#else
int macs_bfloat16(void) { return 0; }
float run_bfloat16(long turns) { return (float)turns; }
#endif

#ifdef __AVX512VNNI__
int macs_int8(void) { return CHAINS * 64; }

float run_int8(long turns) {
    __m512i sums[CHAINS], bytes = _mm512_set1_epi8(1);
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_setzero_si512();
    for (long t = 0; t < turns; t++) {
        OPAQUE(bytes);
        for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], bytes, bytes);
    }
    for (int i = 0; i < CHAINS; i++) OPAQUE(sums[i]);
    return (float)((int *)sums)[0];
}
#else
int macs_int8(void) { return 0; }
float run_int8(long turns) { return (float)turns; }
#endif

/* Read a block over and over; its size is a multiple of 512 bytes, its address one of 64. */
float run_read(const char *from, size_t size, long turns) {
    integers seen[8];
    const size_t step = sizeof(integers);
    for (int i = 0; i < 8; i++) seen[i] = ZERO;
    for (long t = 0; t < turns; t++) {
        MEMORY_CHANGES;
        for (const char *p = from; p < from + size; p += 8 * step)
            for (int i = 0; i < 8; i++) seen[i] = OR(seen[i], LOAD(p + i * step));
    }
    for (int i = 1; i < 8; i++) seen[0] = OR(seen[0], seen[i]);
    return (float)((int *)seen)[0];
}

/* Copy a block over and over. */
float run_copy(const char *from, char *to, size_t size, long turns) {
    const size_t step = sizeof(integers);
    for (long t = 0; t < turns; t++) {
        MEMORY_CHANGES;
        for (size_t at = 0; at < size; at += 4 * step)
            for (int i = 0; i < 4; i++) STORE(to + at + i * step, LOAD(from + at + i * step));
    }
    return (float)to[0];
}
