/* Bytes of a file or of an array as float or double, a chunk at a time. */
#ifndef MLCHECK_NUMBERS_H
#define MLCHECK_NUMBERS_H

#include "buffers.h"

/* Values that are summed by themselves: with their copy as double they stay in the first cache. */
enum { CHUNK = 1024 };

typedef struct {
    char code;     /* As numpy's typecode: ? b B h H i I q Q e f d; E stands for bfloat16. */
    int swapped;   /* In the other byte order. */
    int width;     /* Bytes of a value. */
} Type;

typedef struct {
    int is_single;        /* float, else double. */
    const void *values;   /* Aligned. */
} Numbers;

/* Where chunks are converted. */
typedef struct {
    double wide[CHUNK];
    union {
        uint64_t for_alignment;
        unsigned char bytes[CHUNK * 8];
    } plain;
} Room;

/* 0 where the code is unknown. `>` before a code stands for the byte order that is not the machine's. */
static int type_of(const char *code, Type *type) {
    static const char codes[] = "?bBhHiIqQefdE";
    static const int widths[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 2};
    type->swapped = code[0] == '>';
    code += type->swapped;
    const char *found = code[0] && !code[1] ? strchr(codes, code[0]) : NULL;
    if (!found) return 0;
    type->code = code[0];
    type->width = widths[found - codes];
    return 1;
}

MLCHECK_CLONES static void swap_bytes(unsigned char *bytes, Py_ssize_t count, int width) {
    if (width == 2) {
        uint16_t *words = (uint16_t *)bytes;
        for (Py_ssize_t i = 0; i < count; i++) words[i] = (uint16_t)(words[i] >> 8 | words[i] << 8);
    } else if (width == 4) {
        uint32_t *words = (uint32_t *)bytes;
        for (Py_ssize_t i = 0; i < count; i++) {
            uint32_t one = words[i];
            words[i] = one >> 24 | (one >> 8 & 0xff00u) | (one << 8 & 0xff0000u) | one << 24;
        }
    } else if (width == 8) {
        uint64_t *words = (uint64_t *)bytes;
        for (Py_ssize_t i = 0; i < count; i++) {
            uint64_t one = words[i];
            one = (one >> 8 & 0x00ff00ff00ff00ffu) | (one & 0x00ff00ff00ff00ffu) << 8;
            one = (one >> 16 & 0x0000ffff0000ffffu) | (one & 0x0000ffff0000ffffu) << 16;
            words[i] = one >> 32 | one << 32;
        }
    }
}

/* IEEE 754 binary16: its bits in the place of a float's are 2^-112 times its value, denormals too. */
MLCHECK_CLONES static void widen_half(const uint16_t *from, double *to, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t half = from[i], size = half & 0x7fffu, bits = size << 13;
        float magnitude;
        if (size >= 0x7c00u) bits |= 0x7f800000u; /* Infinity and NaN have an exponent of all ones in both. */
        bits |= (half & 0x8000u) << 16;
        memcpy(&magnitude, &bits, sizeof bits);
        to[i] = (double)magnitude * 0x1p112;
    }
}

MLCHECK_CLONES static void widen_upper_half(const uint16_t *from, double *to, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)from[i] << 16;
        float value;
        memcpy(&value, &bits, sizeof bits);
        to[i] = value;
    }
}

#define MLCHECK_WIDEN(NAME, FROM)                                                            \
    MLCHECK_CLONES static void NAME(const FROM *from, double *to, Py_ssize_t count) {        \
        for (Py_ssize_t i = 0; i < count; i++) to[i] = (double)from[i];                      \
    }

MLCHECK_WIDEN(widen_int8, int8_t)
MLCHECK_WIDEN(widen_uint8, uint8_t)
MLCHECK_WIDEN(widen_int16, int16_t)
MLCHECK_WIDEN(widen_uint16, uint16_t)
MLCHECK_WIDEN(widen_int32, int32_t)
MLCHECK_WIDEN(widen_uint32, uint32_t)
MLCHECK_WIDEN(widen_int64, int64_t)
MLCHECK_WIDEN(widen_uint64, uint64_t)
MLCHECK_WIDEN(widen_single, float)

static void widen_bool(const unsigned char *from, double *to, Py_ssize_t count) {
    /* A byte of a damaged file may be neither 0 nor 1. */
    for (Py_ssize_t i = 0; i < count; i++) to[i] = from[i] != 0;
}

/* At most CHUNK values; they lie in `bytes` or in `room`. */
static Numbers numbers_of(Type type, const unsigned char *bytes, Py_ssize_t count, Room *room) {
    const void *from = bytes;
    if (type.swapped || (uintptr_t)bytes % (uintptr_t)type.width) {
        memcpy(room->plain.bytes, bytes, (size_t)(count * type.width));
        if (type.swapped) swap_bytes(room->plain.bytes, count, type.width);
        from = room->plain.bytes;
    }
    switch (type.code) {
        case 'f': return (Numbers){1, from};
        case 'd': return (Numbers){0, from};
        case '?': widen_bool(from, room->wide, count); break;
        case 'b': widen_int8(from, room->wide, count); break;
        case 'B': widen_uint8(from, room->wide, count); break;
        case 'h': widen_int16(from, room->wide, count); break;
        case 'H': widen_uint16(from, room->wide, count); break;
        case 'i': widen_int32(from, room->wide, count); break;
        case 'I': widen_uint32(from, room->wide, count); break;
        case 'q': widen_int64(from, room->wide, count); break;
        case 'Q': widen_uint64(from, room->wide, count); break;
        case 'e': widen_half(from, room->wide, count); break;
        default: widen_upper_half(from, room->wide, count);
    }
    return (Numbers){0, room->wide};
}

/* The same numbers as double. */
static const double *as_double(Numbers numbers, Py_ssize_t count, Room *room) {
    if (!numbers.is_single) return numbers.values;
    widen_single(numbers.values, room->wide, count);
    return room->wide;
}

#endif
