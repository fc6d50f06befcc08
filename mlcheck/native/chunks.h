/* What is added up over the chunks of a tensor, and of the change since the step before. */
#ifndef MLCHECK_CHUNKS_H
#define MLCHECK_CHUNKS_H

#include <float.h>
#include <math.h>

#include "numbers.h"

enum { MOST_TOLERANCES = 8, MOST_EQUAL = 8 };

typedef struct {
    double relative, absolute;
    int equal_nan;
} Tolerance;

/* Whatever is asked beside the moments. */
typedef struct {
    int whole, tolerances, equals, compares;
    Tolerance tolerance[MOST_TOLERANCES];
    double equal[MOST_EQUAL];
} Asked;

/* A sum with what it lost in rounding (Neumaier, 1974: Kahan's sum where the terms may be the larger ones). */
typedef struct {
    double sum, lost;
} Sum;

/* Sums over finite values; of deviations from the mean. */
typedef struct {
    int64_t finite, nan, zeros;
    double low, high;
    Sum total, absolute, square, deviation;
} Moments;

typedef struct {
    int64_t pairs; /* Values that are finite at both steps. */
    Sum square, before;
    int64_t moved[MOST_TOLERANCES];
} Change;

typedef struct {
    Moments moments;
    Change change;
    int64_t whole, equal[MOST_EQUAL];
} Tensor;

#define VALUE float
#define COUNT int32_t
#define NAME(word) word##_of_float
#include "sums.h"

#define VALUE double
#define COUNT int64_t
#define NAME(word) word##_of_double
#include "sums.h"

static void begin(Tensor *tensor) {
    memset(tensor, 0, sizeof *tensor);
    tensor->moments.low = INFINITY;
    tensor->moments.high = -INFINITY;
}

static void add(Sum *sum, double more) {
    double total = sum->sum + more;
    double lost = fabs(sum->sum) >= fabs(more) ? (sum->sum - total) + more : (more - total) + sum->sum;
    /* Beyond the range of a double nothing is lost in rounding. */
    if (isfinite(lost)) sum->lost += lost;
    sum->sum = total;
}

static double value_of(Sum sum) { return sum.sum + sum.lost; }

/* Of two parts together (Chan, Golub, LeVeque: see moments.py). */
static void join(Moments *whole, const Moments *part) {
    if (whole->finite && part->finite) {
        double n = (double)whole->finite, m = (double)part->finite;
        double apart = value_of(part->total) / m - value_of(whole->total) / n;
        add(&whole->deviation, apart * apart * (n * m / (n + m)));
    }
    add(&whole->deviation, value_of(part->deviation));
    add(&whole->total, value_of(part->total));
    add(&whole->absolute, value_of(part->absolute));
    add(&whole->square, value_of(part->square));
    whole->finite += part->finite;
    whole->nan += part->nan;
    whole->zeros += part->zeros;
    if (part->low < whole->low) whole->low = part->low;
    if (part->high > whole->high) whole->high = part->high;
}

/* The difference of two sums keeps the spread to twelve digits where it is more than this share of the sum of squares. */
#define WELL_CONDITIONED 0.05

static void measure_finite(Numbers numbers, Py_ssize_t count, Moments *found) {
    if (numbers.is_single) {
        sum_of_float(numbers.values, count, found);
    } else {
        sum_of_double(numbers.values, count, found);
    }
    if (found->low == found->high) return;
    double total = found->total.sum, square = found->square.sum, spread = square - total * total / (double)count;
    if (!(spread > WELL_CONDITIONED * square)) {
        double mean = total / (double)count;
        spread = numbers.is_single ? deviation_of_float(numbers.values, count, mean)
                                   : deviation_of_double(numbers.values, count, mean);
    }
    found->deviation.sum = spread;
}

/* Moments of a chunk in which something is not finite, or whose sum is not. */
static void measure_some(Numbers numbers, Py_ssize_t count, Room *room, Moments *found) {
    const double *values = as_double(numbers, count, room);
    double known[CHUNK];
    Py_ssize_t finite = 0;
    int64_t nan = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        known[finite] = values[i];
        finite += isfinite(values[i]) ? 1 : 0;
        nan += isnan(values[i]) ? 1 : 0;
    }
    if (finite) {
        measure_finite((Numbers){0, known}, finite, found);
    } else {
        *found = (Moments){.low = INFINITY, .high = -INFINITY};
    }
    found->nan = nan;
}

static int is_close(double value, double was, Tolerance tolerance) {
    /* numpy.isclose */
    if (value == was) return 1;
    if (isnan(value) && isnan(was)) return tolerance.equal_nan;
    return isfinite(was) && fabs(value - was) <= tolerance.absolute + tolerance.relative * fabs(was);
}

static void compare_some(const double *values, const double *before, Py_ssize_t count, const Asked *asked, Change *change) {
    double square = 0, base = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        double was = before[i], apart = values[i] - was;
        int there = isfinite(was) ? 1 : 0, both = there && isfinite(values[i]);
        base += there ? was * was : 0;
        square += both ? apart * apart : 0;
        change->pairs += both;
        for (int k = 0; k < asked->tolerances; k++) change->moved[k] += !is_close(values[i], was, asked->tolerance[k]);
    }
    add(&change->square, square);
    add(&change->before, base);
}

static void compare(Numbers numbers, Numbers before, Py_ssize_t count, const Asked *asked, Room *room, Room *other,
                    Change *change) {
    if (numbers.is_single != before.is_single) {
        numbers = (Numbers){0, as_double(numbers, count, room)};
        before = (Numbers){0, as_double(before, count, other)};
    }
    double square = 0, base = 0;
    int64_t moved[MOST_TOLERANCES];
    for (int k = 0; k < (asked->tolerances ? asked->tolerances : 1); k++) {
        Tolerance tolerance = asked->tolerances ? asked->tolerance[k] : (Tolerance){0, INFINITY, 0};
        if (numbers.is_single) {
            change_of_float(numbers.values, before.values, count, tolerance, &square, &base, &moved[k]);
        } else {
            change_of_double(numbers.values, before.values, count, tolerance, &square, &base, &moved[k]);
        }
    }
    if (!isfinite(square)) {
        compare_some(as_double(numbers, count, room), as_double(before, count, other), count, asked, change);
        return;
    }
    change->pairs += count;
    add(&change->square, square);
    add(&change->before, base);
    for (int k = 0; k < asked->tolerances; k++) change->moved[k] += moved[k];
}

/* Add a chunk of at most CHUNK values; `was` is the same place of the step before, or NULL. */
static void take_chunk(Type type, const unsigned char *bytes, Type type_before, const unsigned char *was, Py_ssize_t count,
                       const Asked *asked, Tensor *tensor) {
    Room room, other;
    Numbers numbers = numbers_of(type, bytes, count, &room);
    Moments found;
    measure_finite(numbers, count, &found);
    if (!isfinite(found.total.sum)) measure_some(numbers, count, &other, &found);
    join(&tensor->moments, &found);
    if (asked->whole) {
        tensor->whole += numbers.is_single ? whole_of_float(numbers.values, count) : whole_of_double(numbers.values, count);
    }
    for (int k = 0; k < asked->equals; k++) {
        tensor->equal[k] += numbers.is_single ? equal_of_float(numbers.values, count, asked->equal[k])
                                              : equal_of_double(numbers.values, count, asked->equal[k]);
    }
    if (was) compare(numbers, numbers_of(type_before, was, count, &other), count, asked, &room, &other, &tensor->change);
}

#endif
