/* Statistics of tensors in one pass: of arrays, and of data sets as they lie in a file. statistics.pyi says what is asked and given. */
/* For pread beside -std=c11, of files of any size. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "units.h"

#include <errno.h>
#include <stdlib.h>
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

/* Values of a block of a file that is held with the same block of the step before: both fit in a core's second cache. */
enum { BLOCK = 32 * CHUNK };

/* Columns of what is given. */
enum { MOMENTS = 9, CHANGES = 3 };

/* An array that is written to, of so many float64. */
typedef struct {
    Py_buffer view;
    double *values;
} Output;

static int read_options(PyObject *tolerances, PyObject *equal, int whole, int compares, Asked *asked) {
    memset(asked, 0, sizeof *asked);
    Py_ssize_t limits = PyTuple_Size(tolerances), numbers = PyTuple_Size(equal);
    if (limits < 0 || numbers < 0) return 0;
    if (limits > MOST_TOLERANCES || numbers > MOST_EQUAL) {
        PyErr_SetString(PyExc_ValueError, "more tolerances or numbers than are compared at once");
        return 0;
    }
    asked->whole = whole;
    asked->compares = compares;
    asked->tolerances = (int)limits;
    asked->equals = (int)numbers;
    for (Py_ssize_t k = 0; k < limits; k++) {
        Tolerance *one = &asked->tolerance[k];
        if (!PyArg_ParseTuple(PyTuple_GetItem(tolerances, k), "ddp", &one->relative, &one->absolute, &one->equal_nan)) return 0;
    }
    for (Py_ssize_t k = 0; k < numbers; k++) {
        asked->equal[k] = PyFloat_AsDouble(PyTuple_GetItem(equal, k));
        if (asked->equal[k] == -1.0 && PyErr_Occurred()) return 0;
    }
    return 1;
}

static int read_type(const char *code, Type *type) {
    if (type_of(code, type)) return 1;
    PyErr_Format(PyExc_ValueError, "no type of number: %s", code);
    return 0;
}

static Py_ssize_t width_of(const Asked *asked) { return MOMENTS + 1 + asked->equals + CHANGES + asked->tolerances; }

/* One row of the output; what was not asked for stays 0. */
static void write_row(const Tensor *tensor, const Asked *asked, double *row) {
    const Moments *moments = &tensor->moments;
    const double found[MOMENTS] = {(double)moments->finite, (double)moments->nan, (double)moments->zeros, moments->low,
                                   moments->high, value_of(moments->total), value_of(moments->absolute),
                                   value_of(moments->square), value_of(moments->deviation)};
    memcpy(row, found, sizeof found);
    row += MOMENTS;
    *row++ = (double)tensor->whole;
    for (int k = 0; k < asked->equals; k++) *row++ = (double)tensor->equal[k];
    *row++ = (double)tensor->change.pairs;
    *row++ = value_of(tensor->change.square);
    *row++ = value_of(tensor->change.before);
    for (int k = 0; k < asked->tolerances; k++) *row++ = (double)tensor->change.moved[k];
}

static void take(Type type, const unsigned char *bytes, Type type_before, const unsigned char *before, Py_ssize_t count,
                 const Asked *asked, Tensor *tensor) {
    for (Py_ssize_t at = 0; at < count; at += CHUNK) {
        Py_ssize_t length = count - at < CHUNK ? count - at : CHUNK;
        const unsigned char *was = before ? before + at * type_before.width : NULL;
        take_chunk(type, bytes + at * type.width, type_before, was, length, asked, tensor);
    }
}

/* rows(type, values, number, length, type_before, before, tolerances, equal, whole, found) */
static PyObject *rows(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *code, *code_before;
    PyObject *values, *before, *tolerances, *equal, *output;
    Py_ssize_t number, length;
    int whole;
    if (!PyArg_ParseTuple(arguments, "sOnnsOO!O!pO", &code, &values, &number, &length, &code_before, &before, &PyTuple_Type,
                          &tolerances, &PyTuple_Type, &equal, &whole, &output))
        return NULL;
    Type type, type_before;
    Asked asked;
    if (!read_type(code, &type) || !read_type(code_before, &type_before)) return NULL;
    if (!read_options(tolerances, equal, whole, before != Py_None, &asked)) return NULL;
    if (number < 0 || length < 0 || (length && number > PY_SSIZE_T_MAX / length)) {
        PyErr_SetString(PyExc_ValueError, "no such shape");
        return NULL;
    }
    Py_buffer now, then = {0}, found;
    if (!mlcheck_borrow(values, &now, 0, number * length, type.width, "values")) return NULL;
    if (asked.compares && !mlcheck_borrow(before, &then, 0, number * length, type_before.width, "before")) {
        PyBuffer_Release(&now);
        return NULL;
    }
    Py_ssize_t width = width_of(&asked);
    if (mlcheck_borrow(output, &found, 1, number, width * (Py_ssize_t)sizeof(double), "found")) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t row = 0; row < number; row++) {
            Tensor tensor;
            begin(&tensor);
            const unsigned char *was = asked.compares ? (unsigned char *)then.buf + row * length * type_before.width : NULL;
            take(type, (unsigned char *)now.buf + row * length * type.width, type_before, was, length, &asked, &tensor);
            write_row(&tensor, &asked, (double *)found.buf + row * width);
        }
        Py_END_ALLOW_THREADS
        PyBuffer_Release(&found);
    }
    if (asked.compares) PyBuffer_Release(&then);
    PyBuffer_Release(&now);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* Bytes of a file; 0 or an error's number, -1 at its end. */
static int read_at(int descriptor, unsigned char *to, Py_ssize_t length, int64_t offset) {
#ifdef _WIN32
    (void)descriptor, (void)to, (void)length, (void)offset;
    return ENOSYS;
#else
    while (length) {
        ssize_t got = pread(descriptor, to, (size_t)length, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (!got) return -1;
        to += got;
        offset += got;
        length -= got;
    }
    return 0;
#endif
}

/* Add the bits of values to the sums of the rows that they lie in; `at` is the place of the first one in the tensor. */
MLCHECK_CLONES static uint64_t sum_bits(const unsigned char *bytes, Py_ssize_t count, int width, Py_ssize_t place) {
    uint64_t found = 0;
    if (width == 4) {
        const uint32_t *words = (const uint32_t *)bytes;
        for (Py_ssize_t i = 0; i < count; i++) found += words[i];
    } else if (width == 8) {
        const uint64_t *words = (const uint64_t *)bytes;
        for (Py_ssize_t i = 0; i < count; i++) found += words[i];
    } else {
        /* Few bits: weighted by their place, lest every other row has the same sum. */
        for (Py_ssize_t i = 0; i < count; i++) {
            uint32_t word = width == 2 ? ((const uint16_t *)bytes)[i] : bytes[i];
            found += (uint64_t)word * ((uint32_t)(place + i) * 2654435761u | 1u);
        }
    }
    return found;
}

static void sum_rows(const unsigned char *bytes, Py_ssize_t count, int width, Py_ssize_t at, Py_ssize_t row_length,
                     uint64_t *sums) {
    while (count) {
        Py_ssize_t place = at % row_length, here = row_length - place;
        if (here > count) here = count;
        sums[at / row_length] += sum_bits(bytes, here, width, place);
        bytes += here * width;
        at += here;
        count -= here;
    }
}

/* What `file` was asked for. */
typedef struct {
    Type type;
    Asked asked;
    int descriptor;
    Py_ssize_t steps, first, last, row_length;
    const int64_t *offsets; /* Of the tensor at each step. */
    double *found;
    uint64_t *row_sums; /* shape (steps, rows of the stretch); NULL where they are not asked for. */
} Stretch;

/* One block of the stretch at all steps. Errors as read_at. */
static int take_block(const Stretch *stretch, Py_ssize_t at, Py_ssize_t count, unsigned char *buffers[2], Tensor *tensors,
                      int is_whole) {
    Type type = stretch->type;
    Py_ssize_t width = width_of(&stretch->asked);
    Py_ssize_t rows = stretch->row_length ? (stretch->last - stretch->first) / stretch->row_length : 0;
    for (Py_ssize_t step = 0; step < stretch->steps; step++) {
        unsigned char *here = buffers[step & 1], *was = buffers[~step & 1];
        int fault = read_at(stretch->descriptor, here, count * type.width, stretch->offsets[step] + at * type.width);
        if (fault) return fault;
        Tensor *tensor = &tensors[is_whole ? 0 : step];
        if (is_whole) begin(tensor);
        take(type, here, type, step && stretch->asked.compares ? was : NULL, count, &stretch->asked, tensor);
        if (rows) {
            sum_rows(here, count, type.width, at - stretch->first, stretch->row_length, stretch->row_sums + step * rows);
        }
        if (is_whole) write_row(tensor, &stretch->asked, stretch->found + step * width);
    }
    return 0;
}

/* All of the stretch: block by block, each at all steps. Errors as read_at; ENOMEM. */
static int take_stretch(const Stretch *stretch) {
    Py_ssize_t length = stretch->last - stretch->first;
    Py_ssize_t block = length < BLOCK ? length : BLOCK;
    int is_whole = length <= BLOCK;
    size_t bytes = (size_t)(block ? block : 1) * (size_t)stretch->type.width;
    unsigned char *buffers[2] = {malloc(bytes), malloc(bytes)};
    Tensor *tensors = malloc((is_whole ? 1 : (size_t)stretch->steps) * sizeof(Tensor));
    int fault = buffers[0] && buffers[1] && tensors ? 0 : ENOMEM;
    if (!fault) {
        for (Py_ssize_t step = 0; step < (is_whole ? 1 : stretch->steps); step++) begin(&tensors[step]);
        Py_ssize_t at = stretch->first;
        do {
            Py_ssize_t count = stretch->last - at < BLOCK ? stretch->last - at : BLOCK;
            fault = take_block(stretch, at, count, buffers, tensors, is_whole);
            at += count;
        } while (!fault && at < stretch->last);
    }
    if (!fault && !is_whole) {
        for (Py_ssize_t step = 0; step < stretch->steps; step++) {
            write_row(&tensors[step], &stretch->asked, stretch->found + step * width_of(&stretch->asked));
        }
    }
    free(tensors);
    free(buffers[0]);
    free(buffers[1]);
    return fault;
}

static int check_stretch(const Stretch *stretch) {
    Py_ssize_t length = stretch->last - stretch->first, row = stretch->row_length;
    if (stretch->steps < 0 || stretch->first < 0 || length < 0 || row < 0 || stretch->last > PY_SSIZE_T_MAX / 16) {
        PyErr_SetString(PyExc_ValueError, "no such stretch");
        return 0;
    }
    if (row && (stretch->first % row || length % row)) {
        PyErr_SetString(PyExc_ValueError, "the stretch does not hold whole rows");
        return 0;
    }
    for (Py_ssize_t step = 0; step < stretch->steps; step++) {
        if (stretch->offsets[step] < 0 || stretch->offsets[step] > INT64_MAX / 2) {
            PyErr_SetString(PyExc_ValueError, "no such offset");
            return 0;
        }
    }
    return 1;
}

/* file(descriptor, offsets, type, first, last, compare, tolerances, equal, whole, found, row_length, row_sums) */
static PyObject *file(PyObject *module, PyObject *arguments) {
    (void)module;
    Stretch stretch = {0};
    const char *code;
    PyObject *offsets, *tolerances, *equal, *output, *sums;
    int compares, whole, fault = 0;
    if (!PyArg_ParseTuple(arguments, "iOsnnpO!O!pOnO", &stretch.descriptor, &offsets, &code, &stretch.first, &stretch.last,
                          &compares, &PyTuple_Type, &tolerances, &PyTuple_Type, &equal, &whole, &output,
                          &stretch.row_length, &sums))
        return NULL;
    if (!read_type(code, &stretch.type) || !read_options(tolerances, equal, whole, compares, &stretch.asked)) return NULL;
    Py_buffer places, found, rows;
    if (!mlcheck_borrow(offsets, &places, 0, 0, 1, "offsets")) return NULL;
    stretch.steps = places.len / (Py_ssize_t)sizeof(int64_t);
    stretch.offsets = places.buf;
    if (!check_stretch(&stretch)) {
        PyBuffer_Release(&places);
        return NULL;
    }
    Py_ssize_t in_rows = stretch.row_length ? (stretch.last - stretch.first) / stretch.row_length : 0;
    Py_ssize_t width = width_of(&stretch.asked) * (Py_ssize_t)sizeof(double);
    if (mlcheck_borrow(output, &found, 1, stretch.steps, width, "found")) {
        if (mlcheck_borrow(sums, &rows, 1, stretch.steps, in_rows * (Py_ssize_t)sizeof(uint64_t), "row_sums")) {
            stretch.found = found.buf;
            stretch.row_sums = rows.buf;
            memset(rows.buf, 0, (size_t)(stretch.steps * in_rows) * sizeof(uint64_t));
            Py_BEGIN_ALLOW_THREADS
            fault = take_stretch(&stretch);
            Py_END_ALLOW_THREADS
            PyBuffer_Release(&rows);
        }
        PyBuffer_Release(&found);
    }
    PyBuffer_Release(&places);
    if (PyErr_Occurred()) return NULL;
    if (fault < 0) {
        PyErr_SetString(PyExc_OSError, "the file was cut while it was read");
        return NULL;
    }
    if (fault) {
        errno = fault;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static int read_ranges(PyObject *ranges, Units *asked) {
    Py_ssize_t number = PyTuple_Size(ranges);
    if (number > MOST_RANGES) PyErr_SetString(PyExc_ValueError, "more ranges than are looked at at once");
    if (number < 0 || number > MOST_RANGES) return 0;
    asked->ranges = (int)number;
    for (Py_ssize_t k = 0; k < number; k++) {
        if (!PyArg_ParseTuple(PyTuple_GetItem(ranges, k), "dd", &asked->range[k].low, &asked->range[k].high)) return 0;
    }
    return 1;
}

static void write_units(const Unit *units, const Units *asked, double *found) {
    for (Py_ssize_t k = 0; k < asked->units; k++) {
        const Moments *moments = &units[k].moments;
        *found++ = (double)moments->finite;
        *found++ = moments->low;
        *found++ = moments->high;
        *found++ = value_of(moments->total);
        *found++ = value_of(moments->deviation);
        for (int i = 0; i < asked->ranges; i++) *found++ = (double)units[k].outside[i];
    }
}

/* Each of `number` tensors; 0 where there is no memory. */
static int take_tensors(const Units *asked, const unsigned char *bytes, Py_ssize_t number, double *found) {
    Unit *units = malloc((size_t)(asked->units ? asked->units : 1) * sizeof(Unit));
    Lanes *lanes = malloc(sizeof(Lanes));
    int fits = units && lanes;
    for (Py_ssize_t i = 0; fits && i < number; i++) {
        memset(units, 0, (size_t)asked->units * sizeof(Unit));
        for (Py_ssize_t k = 0; k < asked->units; k++) units[k].moments.low = INFINITY, units[k].moments.high = -INFINITY;
        take_units(asked, bytes + i * asked->before * asked->units * asked->after * asked->type.width, units, lanes);
        write_units(units, asked, found + i * asked->units * (UNIT_COLUMNS + asked->ranges));
    }
    free(lanes);
    free(units);
    return fits;
}

/* units(type, values, number, before, units, after, ranges, found) */
static PyObject *units(PyObject *module, PyObject *arguments) {
    (void)module;
    Units asked = {0};
    const char *code;
    PyObject *values, *ranges, *output;
    Py_ssize_t number, length = 1;
    int fits = 0;
    if (!PyArg_ParseTuple(arguments, "sOnnnnO!O", &code, &values, &number, &asked.before, &asked.units, &asked.after,
                          &PyTuple_Type, &ranges, &output))
        return NULL;
    if (!read_type(code, &asked.type) || !read_ranges(ranges, &asked)) return NULL;
    const Py_ssize_t sizes[] = {number, asked.before, asked.units, asked.after};
    for (int i = 0; i < 4; i++) {
        if (sizes[i] < 0 || (sizes[i] && length > PY_SSIZE_T_MAX / sizes[i])) {
            PyErr_SetString(PyExc_ValueError, "no such shape");
            return NULL;
        }
        length *= sizes[i];
    }
    Py_buffer now, found;
    if (!mlcheck_borrow(values, &now, 0, length, asked.type.width, "values")) return NULL;
    /* What has no values has no units that were measured. */
    Py_ssize_t rows = length ? number * asked.units : 0;
    if (mlcheck_borrow(output, &found, 1, rows, (UNIT_COLUMNS + asked.ranges) * (Py_ssize_t)sizeof(double), "found")) {
        Py_BEGIN_ALLOW_THREADS
        fits = !length || take_tensors(&asked, now.buf, number, found.buf);
        Py_END_ALLOW_THREADS
        PyBuffer_Release(&found);
        if (!fits) PyErr_NoMemory();
    }
    PyBuffer_Release(&now);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"units", units, METH_VARARGS, "Moments of each unit of tensors."},
    {"rows", rows, METH_VARARGS, "Statistics of each row of an array."},
    {"file", file, METH_VARARGS, "Statistics of a tensor at several steps, as it lies in a file."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "statistics", "Statistics of tensors in one pass.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_statistics(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && (PyModule_AddIntConstant(module, "MOST_TOLERANCES", MOST_TOLERANCES) != 0 ||
                   PyModule_AddIntConstant(module, "MOST_EQUAL", MOST_EQUAL) != 0 ||
                   PyModule_AddIntConstant(module, "MOST_RANGES", MOST_RANGES) != 0)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
