/* Statistics of one histogram: the definitions are those of store/statistics.py and store/quantiles.py, which say why. Sums are added in
   numpy's order (pairwise, after the first value, as `reduceat` does), so that both give the same. */
#ifndef MLCHECK_EVENTS_HISTOGRAM_H
#define MLCHECK_EVENTS_HISTOGRAM_H

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "buffers.h"

/* In the order of store/statistics.py. */
enum {
    COUNT, NOT_NUMBERS, INFINITE, ZEROS, LOWEST, HIGHEST, MEAN, DEVIATION, ABSOLUTE_MEAN, ABSOLUTE_HIGHEST, NORM, NOT_FINITE,
    FIRST_QUANTILE, QUANTILES = 5, STATISTICS = FIRST_QUANTILE + QUANTILES
};

enum { MINIMUM, MAXIMUM, NUMBER, SUM, SQUARES, STATED };

static const double quantile_shares[QUANTILES] = {0.0668, 0.3085, 0.5, 0.6915, 0.9332};

/* Buckets of one histogram, and room for what is added up over them; reused. */
typedef struct {
    size_t room;
    double *left, *right, *counts, *weights;
} Buckets;

static void free_buckets(Buckets *buckets) {
    free(buckets->left);
    memset(buckets, 0, sizeof *buckets);
}

/* Room for so many; 0 where there is no memory. */
static int make_room(Buckets *buckets, size_t count) {
    if (count <= buckets->room) return 1;
    if (count > PY_SSIZE_T_MAX / (4 * sizeof(double))) return 0;
    free_buckets(buckets);
    buckets->left = malloc(4 * count * sizeof(double));
    if (!buckets->left) return 0;
    buckets->right = buckets->left + count;
    buckets->counts = buckets->right + count;
    buckets->weights = buckets->counts + count;
    buckets->room = count;
    return 1;
}

/* As numpy's minimum and maximum: NaN wins. */
static inline double lower(double a, double b) { return a <= b || a != a ? a : b; }
static inline double higher(double a, double b) { return a >= b || a != a ? a : b; }
static inline int is_finite(double value) { return fabs(value) <= DBL_MAX; }

static double pairwise(const double *values, size_t count) {
    if (count < 8) {
        double total = 0;
        for (size_t one = 0; one < count; one++) total += values[one];
        return total;
    }
    if (count <= 128) {
        double part[8];
        size_t one = 8;
        memcpy(part, values, sizeof part);
        for (; one < count - count % 8; one += 8) {
            for (int lane = 0; lane < 8; lane++) part[lane] += values[one + lane];
        }
        double total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
        for (; one < count; one++) total += values[one];
        return total;
    }
    size_t half = count / 2 - count / 2 % 8;
    return pairwise(values, half) + pairwise(values + half, count - half);
}

static double total_of(const double *values, size_t count) {
    if (count == 0) return 0;
    return count == 1 ? values[0] : values[0] + pairwise(values + 1, count - 1);
}

/* The stated range bounds the outer buckets of the old form, which reach to the largest double. */
MLCHECK_CLONES static void bound(double *left, double *right, size_t count, double low, double high) {
    for (size_t one = 0; one < count; one++) {
        double from = higher(left[one], lower(low, right[one]));
        left[one] = from;
        right[one] = lower(right[one], higher(high, from));
    }
}

/* Buckets that are not occupied become zero; weights are the counts times twice the mean magnitude in a bucket. Whether an
   occupied bucket holds zero. */
MLCHECK_CLONES static int64_t weigh(double *left, double *right, double *counts,
                                    double *weights, size_t count) {
    int64_t at_zero = 0;
    for (size_t one = 0; one < count; one++) {
        double from = left[one], to = right[one], number = counts[one];
        int64_t occupied = (number > 0) & (number <= DBL_MAX) & (fabs(from) <= DBL_MAX) & (fabs(to) <= DBL_MAX);
        from = occupied ? from : 0;
        to = occupied ? to : 0;
        number = occupied ? number : 0;
        left[one] = from;
        right[one] = to;
        counts[one] = number;
        weights[one] = number * fabs(from + to);
        at_zero += occupied & (from <= 0) & (to >= 0);
    }
    return at_zero;
}

/* In a bucket on both sides of zero the mean magnitude is another. */
static void weigh_straddling(const double *left, const double *right, const double *counts, double *weights, size_t count) {
    for (size_t one = 0; one < count; one++) {
        if (!(left[one] < 0) || !(right[one] > 0)) continue;
        weights[one] = counts[one] * ((left[one] * left[one] + right[one] * right[one]) / (right[one] - left[one]));
    }
}

typedef struct {
    double number, low, high, mean, square; /* the last one the sum of squares */
} Level;

static Level level_of(const Buckets *buckets, size_t count, double counted) {
    const double *left = buckets->left, *right = buckets->right, *counts = buckets->counts;
    double *weights = buckets->weights, low = INFINITY, high = -INFINITY;
    Level found = {counted, NAN, NAN, 0, 0};
    for (size_t one = 0; one < count; one++) {
        double from = left[one], to = right[one];
        weights[one] = counts[one] * (from * from + from * to + to * to) / 3;
        low = counts[one] > 0 && from < low ? from : low;
        high = counts[one] > 0 && to > high ? to : high;
    }
    found.square = total_of(weights, count);
    for (size_t one = 0; one < count; one++) weights[one] = counts[one] * (left[one] + right[one]) / 2;
    found.mean = total_of(weights, count) / counted;
    if (counted > 0) {
        found.low = low;
        found.high = high;
    }
    return found;
}

static void put_quantiles(const Buckets *buckets, size_t count, double number, double *found) {
    double before = 0, upto = count ? buckets->counts[0] : 0;
    size_t at = 0;
    for (int one = 0; one < QUANTILES; one++) {
        if (!(number > 0) || !is_finite(number)) {
            found[one] = NAN;
            continue;
        }
        double wanted = number * quantile_shares[one];
        while (upto < wanted && at + 1 < count) upto += buckets->counts[++at];
        double own = buckets->counts[at], low = buckets->left[at], high = buckets->right[at];
        before = upto - own;
        double inside = (wanted - before) / higher(own, 1e-300);
        inside = lower(higher(inside, 0), 1);
        found[one] = lower(higher(low * (1 - inside) + high * inside, low), high);
    }
}

/* What the writer stated tells of values that are not finite and so are in no bucket. */
static void put_not_finite(double counted, const double *stated, int broken, double *found) {
    double nonfinite = 0;
    int some = stated && stated[NUMBER] != 0 && (!is_finite(stated[MINIMUM]) || !is_finite(stated[MAXIMUM]) ||
                                                 isnan(stated[SUM]) || isnan(stated[SQUARES]));
    if (some) {
        nonfinite = higher(1, is_finite(stated[NUMBER]) ? stated[NUMBER] - counted : 1);
        if (is_finite(stated[NUMBER])) found[COUNT] = stated[NUMBER];
    }
    if (broken) nonfinite = 1;
    found[NOT_FINITE] = nonfinite;
    found[NOT_NUMBERS] = found[INFINITE] = nonfinite > 0 ? NAN : 0;
}

/* All statistics of the buckets, which are changed; `stated` is NULL for the new form. */
static void measure(Buckets *buckets, size_t count, const double *stated, double *found) {
    double *left = buckets->left, *right = buckets->right;
    int broken = 0;
    if (stated) {
        bound(left, right, count, isnan(stated[MINIMUM]) ? -INFINITY : stated[MINIMUM],
              isnan(stated[MAXIMUM]) ? INFINITY : stated[MAXIMUM]);
    } else {
        for (size_t one = 0; one < count; one++) broken |= !is_finite(left[one]) | !is_finite(right[one]);
        /* tf.summary.histogram shows a constant tensor as one bucket of width 1 around the value. */
        if (count == 1 && fabs(right[0] - left[0] - 1.0) <= 1e-9 * (1 + fabs(left[0]))) left[0] = right[0] = (left[0] + right[0]) / 2;
    }
    int holds_zero = weigh(left, right, buckets->counts, buckets->weights, count) > 0;
    if (holds_zero) weigh_straddling(left, right, buckets->counts, buckets->weights, count);
    double counted = total_of(buckets->counts, count);
    double absolute = total_of(buckets->weights, count) / 2 / counted;
    int exact = stated && stated[NUMBER] > 0 && stated[MINIMUM] <= stated[MAXIMUM];
    for (int one = 0; exact && one < STATED; one++) exact = is_finite(stated[one]);
    Level level = exact ? (Level){stated[NUMBER], stated[MINIMUM], stated[MAXIMUM], stated[SUM] / stated[NUMBER], stated[SQUARES]}
                        : level_of(buckets, count, counted);
    int known = level.number > 0;
    double largest = higher(fabs(level.low), fabs(level.high));
    double spread = sqrt(higher(level.square / level.number - level.mean * level.mean, 0));
    double zeros = level.low == 0 && level.high == 0 ? level.number : holds_zero ? NAN : 0;
    found[COUNT] = known || !broken ? level.number : NAN;
    found[ZEROS] = known ? zeros : NAN;
    found[LOWEST] = level.low;
    found[HIGHEST] = level.high;
    found[MEAN] = known ? level.mean : NAN;
    found[DEVIATION] = known ? lower(spread, (level.high - level.low) / 2) : NAN;
    found[ABSOLUTE_MEAN] = known ? lower(absolute, largest) : NAN;
    found[ABSOLUTE_HIGHEST] = largest;
    found[NORM] = known ? sqrt(level.square) : NAN;
    put_quantiles(buckets, count, counted, found + FIRST_QUANTILE);
    put_not_finite(counted, stated, broken, found);
}

#endif
