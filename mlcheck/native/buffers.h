/* What the compiled readers share: borrowed buffers of numpy arrays, checked before anything is read or written. */
#ifndef MLCHECK_BUFFERS_H
#define MLCHECK_BUFFERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Vector instructions are chosen when the module is loaded; elsewhere the compiler's baseline serves. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define MLCHECK_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define MLCHECK_CLONES
#endif

/* A contiguous buffer of at least `count` items of `size` bytes; 0 on failure, with ValueError set. */
static int mlcheck_borrow(PyObject *object, Py_buffer *view, int writable, Py_ssize_t count, Py_ssize_t size,
                          const char *name) {
    int flags = writable ? PyBUF_CONTIG : PyBUF_CONTIG_RO;
    if (PyObject_GetBuffer(object, view, flags) != 0) return 0;
    if (count >= 0 && size > 0 && (count > PY_SSIZE_T_MAX / size || view->len < count * size)) {
        PyErr_Format(PyExc_ValueError, "%s holds %zd bytes, %zd values of %zd were said", name, view->len, count, size);
        PyBuffer_Release(view);
        return 0;
    }
    return 1;
}

#endif
