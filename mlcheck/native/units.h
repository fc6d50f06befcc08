/* Moments of the units of a tensor, and how many of their values lie outside of ranges. */
#ifndef MLCHECK_UNITS_H
#define MLCHECK_UNITS_H

#include "chunks.h"

/* Values of a unit that lie side by side, from which each such run is summed by itself; shorter ones are summed side by side. */
enum { LONG_RUN = 32, MOST_RANGES = 8, UNIT_COLUMNS = 5, LANES = 256 };

typedef struct {
    double low, high;
} Range;

/* A tensor as (before, units, after). */
typedef struct {
    Type type;
    Py_ssize_t before, units, after;
    int ranges;
    Range range[MOST_RANGES];
} Units;

typedef struct {
    Moments moments;
    int64_t outside[MOST_RANGES];
} Unit;

/* Sums side by side, of up to LANES lanes. */
typedef struct {
    int64_t finite[LANES], outside[MOST_RANGES][LANES];
    double total[LANES], low[LANES], high[LANES], mean[LANES], square[LANES], off[LANES];
} Lanes;

/* A value where it is known, else another one: without a branch, which a vector has not. */
static inline double value_or(double value, int64_t known, double other) {
    uint64_t bits, others, mask = (uint64_t)-known;
    memcpy(&bits, &value, sizeof bits);
    memcpy(&others, &other, sizeof others);
    bits = (bits & mask) | (others & ~mask);
    memcpy(&value, &bits, sizeof bits);
    return value;
}

MLCHECK_CLONES static void sum_lanes(const double *values, Py_ssize_t count, Lanes *lanes) {
    int64_t *finite = lanes->finite;
    double *total = lanes->total, *low = lanes->low, *high = lanes->high;
#pragma omp simd
    for (Py_ssize_t i = 0; i < count; i++) {
        int64_t known = fabs(values[i]) <= DBL_MAX;
        double lower = value_or(values[i], known, INFINITY), higher = value_or(values[i], known, -INFINITY);
        finite[i] += known;
        total[i] += value_or(values[i], known, 0.0);
        low[i] = lower < low[i] ? lower : low[i];
        high[i] = higher > high[i] ? higher : high[i];
    }
}

MLCHECK_CLONES static void square_lanes(const double *values, Py_ssize_t count, Lanes *lanes) {
    double *square = lanes->square, *off = lanes->off;
    const double *mean = lanes->mean;
#pragma omp simd
    for (Py_ssize_t i = 0; i < count; i++) {
        double apart = value_or(values[i] - mean[i], fabs(values[i]) <= DBL_MAX, 0.0);
        off[i] += apart;
        square[i] += apart * apart;
    }
}

/* NaN is not outside. */
MLCHECK_CLONES static void count_lanes(const double *values, Py_ssize_t count, Range range, int64_t *outside) {
    double low = range.low, high = range.high;
#pragma omp simd
    for (Py_ssize_t i = 0; i < count; i++) outside[i] += (values[i] <= low) | (values[i] >= high);
}

MLCHECK_CLONES static int64_t count_outside(const double *values, Py_ssize_t count, Range range) {
    int64_t found = 0;
#pragma omp simd reduction(+ : found)
    for (Py_ssize_t i = 0; i < count; i++) found += (values[i] <= range.low) | (values[i] >= range.high);
    return found;
}

static void take_run(const Units *asked, const unsigned char *bytes, Py_ssize_t count, Unit *unit) {
    static const Asked nothing = {0};
    int width = asked->type.width;
    for (Py_ssize_t at = 0; at < count; at += CHUNK) {
        Py_ssize_t length = count - at < CHUNK ? count - at : CHUNK;
        Tensor part;
        begin(&part);
        take_chunk(asked->type, bytes + at * width, asked->type, NULL, length, &nothing, &part);
        join(&unit->moments, &part.moments);
        if (!asked->ranges) continue;
        Room room, other;
        const double *values = as_double(numbers_of(asked->type, bytes + at * width, length, &room), length, &other);
        for (int k = 0; k < asked->ranges; k++) unit->outside[k] += count_outside(values, length, asked->range[k]);
    }
}

/* `rows` rows of `count` lanes, `stride` bytes apart. */
static void take_lanes(const Units *asked, const unsigned char *bytes, Py_ssize_t rows, Py_ssize_t stride, Py_ssize_t count,
                       Lanes *lanes) {
    Room room, other;
    memset(lanes, 0, sizeof *lanes);
    for (Py_ssize_t i = 0; i < count; i++) lanes->low[i] = INFINITY, lanes->high[i] = -INFINITY;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const double *values = as_double(numbers_of(asked->type, bytes + row * stride, count, &room), count, &other);
        sum_lanes(values, count, lanes);
        for (int k = 0; k < asked->ranges; k++) count_lanes(values, count, asked->range[k], lanes->outside[k]);
    }
    for (Py_ssize_t i = 0; i < count; i++) lanes->mean[i] = lanes->finite[i] ? lanes->total[i] / (double)lanes->finite[i] : 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        square_lanes(as_double(numbers_of(asked->type, bytes + row * stride, count, &room), count, &other), count, lanes);
    }
}

static void join_lane(const Lanes *lanes, Py_ssize_t lane, int ranges, Unit *unit) {
    double finite = (double)lanes->finite[lane], low = lanes->low[lane], high = lanes->high[lane];
    for (int k = 0; k < ranges; k++) unit->outside[k] += lanes->outside[k][lane];
    if (!(finite > 0)) return;
    double off = lanes->off[lane], spread = lanes->square[lane] - off * off / finite;
    Moments part = {.finite = lanes->finite[lane], .low = low, .high = high, .total = {lanes->total[lane], 0}};
    part.deviation.sum = low == high || spread < 0 ? 0 : spread;
    join(&unit->moments, &part);
}

/* One tensor; `found` has a row for each unit: finite values, the least, the largest, their sum, the sum of squared deviations from
 * their mean, and the values outside each range. */
static void take_units(const Units *asked, const unsigned char *bytes, Unit *units, Lanes *lanes) {
    Py_ssize_t width = asked->type.width, row = asked->units * asked->after;
    if (asked->after >= LONG_RUN) {
        for (Py_ssize_t i = 0; i < asked->before; i++) {
            for (Py_ssize_t k = 0; k < asked->units; k++) {
                take_run(asked, bytes + (i * row + k * asked->after) * width, asked->after, &units[k]);
            }
        }
        return;
    }
    for (Py_ssize_t lane = 0; lane < row; lane += LANES) {
        Py_ssize_t count = row - lane < LANES ? row - lane : LANES;
        for (Py_ssize_t i = 0; i < asked->before; i += CHUNK) {
            Py_ssize_t rows = asked->before - i < CHUNK ? asked->before - i : CHUNK;
            take_lanes(asked, bytes + (i * row + lane) * width, rows, row * width, count, lanes);
            for (Py_ssize_t k = 0; k < count; k++) join_lane(lanes, k, asked->ranges, &units[(lane + k) / asked->after]);
        }
    }
}

#endif
