/* Bytes of an event file: little-endian numbers, protobuf's varints and fields, and the checksum of a record.

   Every function takes what encloses the bytes and reads nothing beyond it (protobuf.dev, "Encoding"). */
#ifndef MLCHECK_EVENTS_WIRE_H
#define MLCHECK_EVENTS_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The bytes from `at` up to `end`; never are there fewer than none. */
typedef struct {
    const uint8_t *at, *end;
} Span;

static inline size_t span_size(Span span) { return (size_t)(span.end - span.at); }

/* Compilers make one load of these, on any byte order. */
static inline uint32_t load_32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load_64(const uint8_t *at) { return load_32(at) | (uint64_t)load_32(at + 4) << 32; }

static inline double load_double(const uint8_t *at) {
    uint64_t bits = load_64(at);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double load_float(const uint8_t *at) {
    uint32_t bits = load_32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Doubles behind one another, at any address. */
static inline void load_doubles(double *into, const uint8_t *from, size_t count) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (count) memcpy(into, from, 8 * count);
#else
    for (size_t one = 0; one < count; one++) into[one] = load_double(from + 8 * one);
#endif
}

/* A varint of at most `limit` bytes (at most 9: 63 bits); 0 where there is none, and then nothing is taken. */
static inline int take_varint(Span *from, int limit, uint64_t *value) {
    uint64_t found = 0;
    const uint8_t *at = from->at;
    for (int place = 0; place < limit; place++) {
        if (at == from->end) return 0;
        uint8_t byte = *at++;
        found |= (uint64_t)(byte & 0x7F) << (7 * place);
        if (byte < 0x80) {
            *value = found;
            from->at = at;
            return 1;
        }
    }
    return 0;
}

/* The next field, which has this one-byte key, a length of at most four bytes and content that fits; 0 where it has not. */
static inline int take_field(Span *from, uint8_t key, Span *content) {
    uint64_t size;
    if (from->at == from->end || *from->at != key) return 0;
    Span rest = {from->at + 1, from->end};
    if (!take_varint(&rest, 4, &size) || size > span_size(rest)) return 0;
    content->at = rest.at;
    content->end = from->at = rest.at + size;
    return 1;
}

/* Whether the next bytes are these; then they are taken. */
static inline int take_bytes(Span *from, const void *bytes, size_t count) {
    if (span_size(*from) < count || memcmp(from->at, bytes, count) != 0) return 0;
    from->at += count;
    return 1;
}

/* CRC-32C, Castagnoli polynomial, reflected (RFC 3720, appendix B.4). */

static uint32_t crc_table[256];

static uint32_t crc_by_table(uint32_t state, const uint8_t *at, size_t count) {
    for (size_t one = 0; one < count; one++) state = crc_table[(state ^ at[one]) & 0xFF] ^ (state >> 8);
    return state;
}

static uint32_t (*crc_update)(uint32_t, const uint8_t *, size_t) = crc_by_table;

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t state, const uint8_t *at, size_t count) {
    uint64_t wide = state;
    for (; count >= 8; at += 8, count -= 8) wide = _mm_crc32_u64(wide, load_64(at));
    state = (uint32_t)wide;
    for (; count; at++, count--) state = _mm_crc32_u8(state, *at);
    return state;
}
#endif

/* Call once, before anything else here. */
static void crc_prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;
        for (int bit = 0; bit < 8; bit++) state = (state >> 1) ^ (state & 1 ? 0x82F63B78u : 0);
        crc_table[byte] = state;
    }
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) crc_update = crc_by_instruction;
#endif
}

static inline uint32_t crc_32c(const uint8_t *at, size_t count) { return ~crc_update(0xFFFFFFFFu, at, count); }

/* The form in which TFRecord stores a CRC (tensorflow/core/lib/hash/crc32c.h). */
static inline uint32_t masked_crc(const uint8_t *at, size_t count) {
    uint32_t crc = crc_32c(at, count);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

#endif
