/* Sums over one chunk, for one type of VALUE: included with VALUE, COUNT (an integer of its width) and NAME(word) defined.
 *
 * The loops keep as many partial sums as a vector has lanes (OpenMP's simd pragma; elsewhere one), over at most CHUNK values.
 */

MLCHECK_CLONES static void NAME(sum)(const VALUE *values, Py_ssize_t count, Moments *found) {
    double total = 0, absolute = 0, square = 0;
    VALUE low = (VALUE)INFINITY, high = (VALUE)-INFINITY;
    COUNT zeros = 0;
#pragma omp simd reduction(+ : total, absolute, square, zeros) reduction(min : low) reduction(max : high)
    for (Py_ssize_t i = 0; i < count; i++) {
        VALUE value = values[i];
        double wide = (double)value;
        low = value < low ? value : low;
        high = value > high ? value : high;
        zeros += value == 0;
        total += wide;
        absolute += fabs(wide);
        square += wide * wide;
    }
    *found = (Moments){.finite = count, .zeros = zeros, .low = (double)low, .high = (double)high,
                       .total = {total, 0}, .absolute = {absolute, 0}, .square = {square, 0}};
}

MLCHECK_CLONES static double NAME(deviation)(const VALUE *values, Py_ssize_t count, double mean) {
    double square = 0, off = 0;
#pragma omp simd reduction(+ : square, off)
    for (Py_ssize_t i = 0; i < count; i++) {
        double apart = (double)values[i] - mean;
        off += apart;
        square += apart * apart;
    }
    /* What the mean was off by is taken out. */
    double found = square - off * off / (double)count;
    return found > 0 ? found : 0;
}

/* Values without a fraction. Beside 2^52 a double has no room for one: it is rounded. */
MLCHECK_CLONES static int64_t NAME(whole)(const VALUE *values, Py_ssize_t count) {
    COUNT found = 0;
#pragma omp simd reduction(+ : found)
    for (Py_ssize_t i = 0; i < count; i++) {
        double size = fabs((double)values[i]);
        found += ((size >= 0x1p52) | ((size + 0x1p52) - 0x1p52 == size)) & (size <= DBL_MAX);
    }
    return found;
}

MLCHECK_CLONES static int64_t NAME(equal)(const VALUE *values, Py_ssize_t count, double number) {
    COUNT found = 0;
#pragma omp simd reduction(+ : found)
    for (Py_ssize_t i = 0; i < count; i++) found += (double)values[i] == number;
    return found;
}

/* With the values before; true of finite ones only. */
MLCHECK_CLONES static void NAME(change)(const VALUE *values, const VALUE *before, Py_ssize_t count, Tolerance tolerance,
                                        double *squares, double *squares_before, int64_t *moved) {
    double square = 0, base = 0, relative = tolerance.relative, absolute = tolerance.absolute;
    int64_t beyond = 0;
#pragma omp simd reduction(+ : square, base, beyond)
    for (Py_ssize_t i = 0; i < count; i++) {
        double was = (double)before[i], apart = (double)values[i] - was;
        square += apart * apart;
        base += was * was;
        beyond += fabs(apart) > absolute + relative * fabs(was);
    }
    *squares = square;
    *squares_before = base;
    *moved = beyond;
}

#undef VALUE
#undef COUNT
#undef NAME
