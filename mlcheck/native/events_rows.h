/* The rows of one tag, in columns of eight bytes a value that grow. */
#ifndef MLCHECK_EVENTS_ROWS_H
#define MLCHECK_EVENTS_ROWS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a scalar: step, wall time, value. */
#define SCALAR_COLUMNS 3

typedef struct {
    size_t size, room;
    size_t tensors;   /* rows that came as tensors */
    uint8_t *flags;   /* which; NULL where it is all or none of them */
    int width;
    union {
        int64_t *steps; /* the first column */
        double *values;
        void *memory;
    } columns[];
} Rows;

static Rows *new_rows(int width) {
    Rows *rows = calloc(1, sizeof *rows + (size_t)width * sizeof *rows->columns);
    if (rows) rows->width = width;
    return rows;
}

static void free_rows(Rows *rows) {
    if (!rows) return;
    for (int column = 0; column < rows->width; column++) free(rows->columns[column].memory);
    free(rows->flags);
    free(rows);
}

static int resize_rows(Rows *rows, size_t room) {
    if (room > (size_t)PTRDIFF_MAX / 8) return 0;
    for (int column = 0; column < rows->width; column++) {
        void *larger = realloc(rows->columns[column].memory, 8 * room);
        if (!larger) return 0;
        rows->columns[column].memory = larger;
    }
    if (rows->flags) {
        uint8_t *flags = realloc(rows->flags, room);
        if (!flags) return 0;
        rows->flags = flags;
    }
    rows->room = room;
    return 1;
}

/* Room for one more row at least, and for what the rest of the file will probably need: `done` is the share of it that has been read.
   Memory that is not written to is none. 0 where there is no memory. */
static int grow_rows(Rows *rows, size_t needed, double done) {
    double probable = 1.03 * (double)needed / (done > 1e-9 ? done : 1e-9);
    double least = 1.5 * (double)needed, most = 16.0 * (double)needed;
    double room = probable < least ? least : probable > most ? most : probable;
    return resize_rows(rows, room < 4 ? 4 : (size_t)room);
}

/* Note whether the next row came as a tensor; 0 where there is no memory. */
static inline int flag_row(Rows *rows, int is_tensor) {
    if (!rows->flags && rows->tensors != (is_tensor ? rows->size : 0)) {
        rows->flags = malloc(rows->room);
        if (!rows->flags) return 0;
        memset(rows->flags, rows->tensors != 0, rows->size);
    }
    if (rows->flags) rows->flags[rows->size] = (uint8_t)is_tensor;
    rows->tensors += (size_t)is_tensor;
    return 1;
}

/* Protobuf's default 0 means that the writer left the wall time out. */
static inline double known_wall_time(double wall_time) { return wall_time == 0 ? NAN : wall_time; }

/* Add a row: step, wall time and the other columns. 0 where there is no memory, and then nothing is added. */
static inline int add_row(Rows *rows, int64_t step, double wall_time, const double *others, int is_tensor, double done) {
    if (rows->size == rows->room && !grow_rows(rows, rows->size + 1, done)) return 0;
    if (!flag_row(rows, is_tensor)) return 0;
    rows->columns[0].steps[rows->size] = step;
    rows->columns[1].values[rows->size] = known_wall_time(wall_time);
    for (int column = 2; column < rows->width; column++) rows->columns[column].values[rows->size] = others[column - 2];
    rows->size++;
    return 1;
}

/* Take out the rows that came as tensors. */
static void drop_tensors(Rows *rows) {
    if (!rows->tensors) return;
    size_t kept = 0;
    for (size_t row = 0; row < rows->size && rows->flags; row++) {
        if (rows->flags[row]) continue;
        /* Bit for bit, whatever the column holds. */
        for (int column = 0; column < rows->width; column++) {
            memcpy(rows->columns[column].steps + kept, rows->columns[column].steps + row, 8);
        }
        kept++;
    }
    rows->size = kept;
    rows->tensors = 0;
    free(rows->flags);
    rows->flags = NULL;
}

/* Add the rows of another stretch of the file behind these; 0 where there is no memory, and then nothing is added. */
static int append_rows(Rows *rows, const Rows *more) {
    if (!more->size) return 1;
    if (rows->size + more->size > rows->room && !resize_rows(rows, rows->size + more->size)) return 0;
    int uniform = !rows->flags && !more->flags && (!rows->tensors == !more->tensors || !rows->size);
    if (!uniform && !rows->flags) {
        rows->flags = malloc(rows->room);
        if (!rows->flags) return 0;
        memset(rows->flags, rows->tensors != 0, rows->size);
    }
    if (rows->flags && more->flags) memcpy(rows->flags + rows->size, more->flags, more->size);
    if (rows->flags && !more->flags) memset(rows->flags + rows->size, more->tensors != 0, more->size);
    for (int column = 0; column < rows->width; column++) {
        memcpy(rows->columns[column].steps + rows->size, more->columns[column].memory, 8 * more->size);
    }
    rows->size += more->size;
    rows->tensors += more->tensors;
    return 1;
}

#endif
