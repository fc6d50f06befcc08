/* One event, where it has the shape that nearly all of them have: wall time, step, and a summary of numbers and histograms.

   The fields stand in the order that every protobuf writer uses. Each length is checked against what encloses it, so an event is
   either decoded exactly as protobuf would or left to it. Field numbers are those of tensorflow/core/util/event.proto and
   tensorflow/core/framework/{summary,tensor,tensor_shape,types}.proto; a first byte is number << 3 | wire type. */
#ifndef MLCHECK_EVENTS_VALUE_H
#define MLCHECK_EVENTS_VALUE_H

#include <math.h>

#include "events_wire.h"

#define TAG_LONGEST 1024
#define METADATA_LONGEST 4096

typedef enum { FOR_PROTOBUF, VERSION, NOTHING_KEPT, SUMMARY } Kind;

typedef struct {
    double wall_time;
    int64_t step;
    Span rest; /* of a summary its values, each a field; of a version its field and what follows */
} Event;

typedef enum { NOT_PLAIN, SCALAR, OLD_HISTOGRAM, NEW_HISTOGRAM } Shape;

/* One value of a summary. */
typedef struct {
    Shape shape;
    Span tag;
    Span metadata; /* `at` is NULL where there is none */
    int is_tensor;
    double number;         /* of a scalar */
    size_t buckets;        /* of a histogram */
    const uint8_t *edges;  /* upper edges (old form), or rows of left edge, right edge and count (new form) */
    const uint8_t *counts; /* old form */
    double stated[5];      /* old form: min, max, num, sum, sum of squares */
} Value;

static double half_value(uint32_t bits) {
    int exponent = bits >> 10 & 0x1F;
    double fraction = bits & 0x3FF;
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent == 31 ? (fraction != 0 ? NAN : INFINITY)
                                    : ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

/* bfloat16 is the upper half of a float32. */
static double brain_value(uint32_t bits) {
    const uint8_t bytes[4] = {0, 0, (uint8_t)bits, (uint8_t)(bits >> 8)};
    return load_float(bytes);
}

/* The dtypes that hold numbers: how one lies in tensor_content, and in which field single values are. */
enum {
    DT_FLOAT = 1, DT_DOUBLE, DT_INT32, DT_UINT8, DT_INT16, DT_INT8, DT_INT64 = 9, DT_BOOL,
    DT_BFLOAT16 = 14, DT_UINT16 = 17, DT_HALF = 19, DT_UINT32 = 22, DT_UINT64
};

/* A number that fills tensor_content. */
static int content_value(int dtype, Span content, double *value) {
    static const uint8_t sizes[] = {0, 4, 8, 4, 1, 2, 1, 0, 0, 8, 0, 0, 0, 0, 2, 0, 0, 2, 0, 2, 0, 0, 4, 8};
    if (dtype >= (int)sizeof sizes || !sizes[dtype] || span_size(content) != sizes[dtype]) return 0;
    const uint8_t *at = content.at;
    uint32_t two = at[0];
    if (sizes[dtype] >= 2) two |= (uint32_t)at[1] << 8;
    switch (dtype) {
        case DT_FLOAT: *value = load_float(at); return 1;
        case DT_DOUBLE: *value = load_double(at); return 1;
        case DT_INT32: *value = (int32_t)load_32(at); return 1;
        case DT_UINT8: *value = at[0]; return 1;
        case DT_INT16: *value = (int16_t)two; return 1;
        case DT_INT8: *value = (int8_t)at[0]; return 1;
        case DT_INT64: *value = (double)(int64_t)load_64(at); return 1;
        case DT_BFLOAT16: *value = brain_value(two); return 1;
        case DT_UINT16: *value = two; return 1;
        case DT_HALF: *value = half_value(two); return 1;
        case DT_UINT32: *value = load_32(at); return 1;
        default: *value = (double)load_64(at); return 1;
    }
}

/* A varint that fills the rest; the limits keep out what protobuf would cut to the width of the field. */
static int number_value(int dtype, Span rest, double *value) {
    uint64_t number;
    if (!take_varint(&rest, 9, &number) || rest.at != rest.end) return 0;
    switch (dtype) {
        case DT_INT32: case DT_UINT8: case DT_INT16: case DT_INT8: case DT_UINT16: *value = (double)number; return number < 1ull << 31;
        case DT_INT64: case DT_UINT64: *value = (double)number; return number < 1ull << 62;
        case DT_BOOL: *value = number != 0; return number < 1ull << 62;
        case DT_UINT32: *value = (double)number; return number < 1ull << 32;
        case DT_HALF: *value = half_value((uint32_t)number & 0xFFFF); return number < 1ull << 31;
        case DT_BFLOAT16: *value = brain_value((uint32_t)number & 0xFFFF); return number < 1ull << 31;
        default: return 0;
    }
}

/* One number in the dtype's own field, packed or on its own. */
static int listed_value(int dtype, Span rest, double *value) {
    static const uint8_t fields[] = {0, 5, 6, 7, 7, 7, 7, 0, 0, 10, 11, 0, 0, 0, 13, 0, 0, 7, 0, 13, 0, 0, 16, 17};
    if (dtype >= (int)sizeof fields || !fields[dtype]) return 0;
    unsigned key = (unsigned)fields[dtype] << 3;
    unsigned alone = dtype == DT_FLOAT ? 5 : dtype == DT_DOUBLE ? 1 : 0;
    uint8_t packed_key[2] = {(uint8_t)(key | 2), 1}, alone_key[2] = {(uint8_t)(key | alone), 1};
    size_t key_size = key < 0x80 ? 1 : 2;
    if (key_size == 2) packed_key[0] |= 0x80, alone_key[0] |= 0x80;
    if (take_bytes(&rest, packed_key, key_size)) {
        uint64_t size;
        if (!take_varint(&rest, 1, &size) || size != span_size(rest)) return 0;
    } else if (!take_bytes(&rest, alone_key, key_size)) {
        return 0;
    }
    if (dtype == DT_FLOAT || dtype == DT_DOUBLE) return content_value(dtype, rest, value);
    return number_value(dtype, rest, value);
}

/* Rows of a shape (k, 3) with k > 0; 0 for any other. */
static uint64_t rows_of_three(Span shape) {
    Span dimension;
    uint64_t rows;
    if (!take_field(&shape, 0x12, &dimension) || !take_bytes(&dimension, "\x08", 1)) return 0;
    if (!take_varint(&dimension, 4, &rows) || dimension.at != dimension.end) return 0;
    return take_bytes(&shape, "\x12\x02\x08\x03", 4) && shape.at == shape.end ? rows : 0;
}

static int is_single(Span shape) {
    while (take_bytes(&shape, "\x12\x02\x08\x01", 4)) continue;
    return shape.at == shape.end;
}

/* `TensorProto`: a number, or doubles of shape (k, 3). */
static Shape read_tensor(Span tensor, Value *value) {
    Span shape = {tensor.at, tensor.at}, content;
    uint64_t dtype;
    if (!take_bytes(&tensor, "\x08", 1) || !take_varint(&tensor, 1, &dtype) || tensor.at == tensor.end) return NOT_PLAIN;
    if (*tensor.at == 0x12 && !take_field(&tensor, 0x12, &shape)) return NOT_PLAIN;
    Span rest = tensor;
    int has_content = take_field(&rest, 0x22, &content) && rest.at == rest.end;
    if (is_single(shape)) {
        int found = has_content ? content_value((int)dtype, content, &value->number)
                                : listed_value((int)dtype, tensor, &value->number);
        return found ? SCALAR : NOT_PLAIN;
    }
    uint64_t rows = dtype == DT_DOUBLE ? rows_of_three(shape) : 0;
    if (!rows) return NOT_PLAIN;
    if (!has_content && !(take_field(&tensor, 0x32, &content) && tensor.at == tensor.end)) return NOT_PLAIN;
    if (span_size(content) % 24 || span_size(content) / 24 != rows) return NOT_PLAIN;
    value->buckets = (size_t)rows;
    value->edges = content.at;
    return NEW_HISTOGRAM;
}

/* `HistogramProto`: five doubles, of which a writer leaves out those that are zero, and two packed lists. Where empty buckets at
   the end were left out of one of them, the common part counts. */
static Shape read_histogram(Span histogram, Value *value) {
    static const uint8_t keys[5] = {0x09, 0x11, 0x19, 0x21, 0x29};
    Span edges = {histogram.at, histogram.at}, counts = edges;
    for (int one = 0; one < 5; one++) {
        value->stated[one] = 0;
        if (span_size(histogram) < 9 || *histogram.at != keys[one]) continue;
        value->stated[one] = load_double(histogram.at + 1);
        histogram.at += 9;
    }
    take_field(&histogram, 0x32, &edges);
    take_field(&histogram, 0x3A, &counts);
    if (histogram.at != histogram.end || span_size(edges) % 8 || span_size(counts) % 8) return NOT_PLAIN;
    value->buckets = (span_size(edges) < span_size(counts) ? span_size(edges) : span_size(counts)) / 8;
    value->edges = edges.at;
    value->counts = counts.at;
    return OLD_HISTOGRAM;
}

/* `Summary.Value`: tag, value, metadata. CatBoost writes the tag once more, as the name of a node. */
static Shape read_value(Span from, Value *value) {
    Span message;
    Shape shape = SCALAR;
    value->metadata.at = NULL;
    if (!take_field(&from, 0x0A, &value->tag) || span_size(value->tag) > TAG_LONGEST || from.at == from.end) return NOT_PLAIN;
    value->is_tensor = *from.at == 0x42;
    if (*from.at == 0x15) {
        if (span_size(from) < 5) return NOT_PLAIN;
        value->number = load_float(from.at + 1);
        from.at += 5;
    } else if (value->is_tensor) {
        if (!take_field(&from, 0x42, &message)) return NOT_PLAIN;
        shape = read_tensor(message, value);
    } else if (take_field(&from, 0x2A, &message)) {
        shape = read_histogram(message, value);
    } else {
        return NOT_PLAIN;
    }
    if (take_field(&from, 0x3A, &message)) {
        if (span_size(message) != span_size(value->tag)) return NOT_PLAIN;
        if (message.at != message.end && memcmp(message.at, value->tag.at, span_size(message)) != 0) return NOT_PLAIN;
    }
    if (from.at == from.end) return shape;
    if (!take_field(&from, 0x4A, &value->metadata) || from.at != from.end) return NOT_PLAIN;
    return span_size(value->metadata) <= METADATA_LONGEST ? shape : NOT_PLAIN;
}

static Kind read_event(Span payload, Event *event) {
    Span content;
    uint64_t step = 0;
    if (span_size(payload) < 11 || *payload.at != 0x09) return FOR_PROTOBUF;
    event->wall_time = load_double(payload.at + 1);
    payload.at += 9;
    if (*payload.at == 0x10) {
        payload.at++;
        if (!take_varint(&payload, 9, &step) || payload.at == payload.end) return FOR_PROTOBUF;
    }
    event->step = (int64_t)step;
    switch (*payload.at) {
        case 0x2A:
            return take_field(&payload, 0x2A, &event->rest) && payload.at == payload.end ? SUMMARY : FOR_PROTOBUF;
        case 0x22: /* a graph */
        case 0x4A: /* a meta graph */
            return take_field(&payload, *payload.at, &content) && payload.at == payload.end ? NOTHING_KEPT : FOR_PROTOBUF;
        case 0x1A:
            event->rest = payload;
            return VERSION;
        default: return FOR_PROTOBUF;
    }
}

#endif
