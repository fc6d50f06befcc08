/* Object headers of HDF5 files: which data sets are plain, as mlcheck/importers/hdf5/headers.py says it, many in one call. */

/* For pread beside -std=c11, of files of any size. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "buffers.h"
#include "links.h"

#include <errno.h>
#ifdef _WIN32
#include <sys/types.h>
#else
#include <unistd.h>
#endif

enum { WINDOW = 512, AT_ONCE = 64, OLD_MESSAGE = 8, FIRST_OF_OLD = 16 };
enum { SPACE = 1, TYPE = 3, EXTERNAL = 7, LAYOUT = 8, FILTERS = 11, ATTRIBUTE = 12, CONTINUATION = 16, ATTRIBUTES = 21 };
enum { SHARED = 2 };

typedef struct {
    const unsigned char *bytes;
    size_t length;
} Block;

/* Where in a block a message lies. */
typedef struct {
    size_t at, length;
} Part;

typedef struct {
    Part space, type;
    uint64_t address, bytes;
    int attributes;
} Plain;

static int is_nowhere(Block block, size_t at) {
    if (at + 8 > block.length) return 0;
    return number_at(block.bytes + at, 8) == UINT64_MAX;
}

/* Where the messages are, and how long the head of each is; 0 where this is no header, or one that goes on elsewhere. */
static int find_messages(Block block, size_t *at, size_t *end, int *head) {
    const unsigned char *bytes = block.bytes;
    uint64_t length;
    if (block.length >= 6 && memcmp(bytes, "OHDR\2", 5) == 0) {
        int flags = bytes[5], width = 1 << (flags & 3);
        size_t start = 6u + (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u);
        if (start + (size_t)width > block.length) return 0;
        length = number_at(bytes + start, width);
        *at = start + (size_t)width;
        *head = flags & 4 ? 6 : 4;
    } else if (block.length >= 12 && bytes[0] == 1) {
        length = number_at(bytes + 8, 4);
        *at = FIRST_OF_OLD;
        *head = OLD_MESSAGE;
    } else {
        return 0;
    }
    if (*at > block.length || length > block.length - *at) return 0;
    *end = *at + (size_t)length;
    return 1;
}

static int take_layout(Block block, size_t at, Plain *plain) {
    if (at + 18 > block.length || block.bytes[at] < 3 || block.bytes[at] > 5 || block.bytes[at + 1] != 1) return 0;
    if (is_nowhere(block, at + 2)) return 0;
    plain->address = number_at(block.bytes + at + 2, 8);
    plain->bytes = number_at(block.bytes + at + 10, 8);
    return 1;
}

/* Whether attributes lie elsewhere, by the message that says where. */
static int is_dense(Block block, size_t at) {
    if (at + 2 > block.length) return 1;
    return !is_nowhere(block, at + (block.bytes[at + 1] & 1 ? 4 : 2));
}

static int is_plain(Block block, Plain *plain) {
    size_t at, end;
    int head, has_space = 0, has_type = 0, has_layout = 0;
    if (!find_messages(block, &at, &end, &head)) return 0;
    memset(plain, 0, sizeof *plain);
    while (at + (size_t)head <= end) {
        const unsigned char *bytes = block.bytes + at;
        int is_old = head == OLD_MESSAGE;
        int sort = is_old ? (int)number_at(bytes, 2) : bytes[0], flags = bytes[is_old ? 4 : 3];
        size_t length = (size_t)number_at(bytes + (is_old ? 2 : 1), 2);
        at += (size_t)head;
        if (sort == SPACE || sort == TYPE) {
            if (flags & SHARED || length > block.length - at) return 0;
            *(sort == SPACE ? &plain->space : &plain->type) = (Part){at, length};
            *(sort == SPACE ? &has_space : &has_type) = 1;
        } else if (sort == LAYOUT) {
            if (!take_layout(block, at, plain)) return 0;
            has_layout = 1;
        } else if (sort == ATTRIBUTE) {
            plain->attributes++;
        } else if (sort == EXTERNAL || sort == FILTERS || sort == CONTINUATION || (sort == ATTRIBUTES && is_dense(block, at))) {
            return 0;
        }
        at += length;
    }
    return has_space && has_type && has_layout && at <= end;
}

/* The messages for shape and type as one text of bytes; the last one again where it is the same. */
static PyObject *form_of(Block block, const Plain *plain, PyObject *last) {
    char form[2 * WINDOW + 1];
    size_t length = plain->space.length + 1 + plain->type.length;
    memcpy(form, block.bytes + plain->space.at, plain->space.length);
    form[plain->space.length] = '|';
    memcpy(form + plain->space.length + 1, block.bytes + plain->type.at, plain->type.length);
    if (last && (size_t)PyBytes_Size(last) == length && memcmp(PyBytes_AsString(last), form, length) == 0) {
        Py_INCREF(last);
        return last;
    }
    return PyBytes_FromStringAndSize(form, (Py_ssize_t)length);
}

static size_t read_window(int descriptor, unsigned char *to, int64_t offset) {
#ifdef _WIN32
    (void)descriptor, (void)to, (void)offset;
    return 0;
#else
    ssize_t got;
    do {
        got = offset < 0 ? -1 : pread(descriptor, to, WINDOW, (off_t)offset);
    } while (got < 0 && offset >= 0 && errno == EINTR);
    return got < 0 ? 0 : (size_t)got;
#endif
}

/* One entry of the list; NULL with an error set. */
static PyObject *entry_of(Block block, PyObject **last) {
    Plain plain;
    if (!is_plain(block, &plain)) Py_RETURN_NONE;
    PyObject *form = form_of(block, &plain, *last);
    if (!form) return NULL;
    *last = form; /* The tuple keeps it alive, and the list the tuple. */
    return Py_BuildValue("(NKKi)", form, (unsigned long long)plain.address, (unsigned long long)plain.bytes, plain.attributes);
}

/* plain(descriptor, offsets) */
static PyObject *plain_data_sets(PyObject *module, PyObject *arguments) {
    (void)module;
    int descriptor;
    PyObject *offsets;
    Py_buffer view;
    static const Py_ssize_t width = (Py_ssize_t)sizeof(int64_t);
    if (!PyArg_ParseTuple(arguments, "iO", &descriptor, &offsets)) return NULL;
    if (!mlcheck_borrow(offsets, &view, 0, 0, 1, "offsets")) return NULL;
    Py_ssize_t number = view.len / width;
    PyObject *found = PyList_New(number), *last = NULL;
    for (Py_ssize_t start = 0; found && start < number; start += AT_ONCE) {
        unsigned char windows[AT_ONCE][WINDOW];
        size_t lengths[AT_ONCE];
        Py_ssize_t count = number - start < AT_ONCE ? number - start : AT_ONCE;
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++) {
            int64_t offset;
            memcpy(&offset, (char *)view.buf + (start + i) * width, sizeof offset);
            lengths[i] = read_window(descriptor, windows[i], offset);
        }
        Py_END_ALLOW_THREADS
        for (Py_ssize_t i = 0; found && i < count; i++) {
            PyObject *entry = entry_of((Block){windows[i], lengths[i]}, &last);
            if (!entry || PyList_SetItem(found, start + i, entry) != 0) {
                Py_DECREF(found);
                found = NULL;
            }
        }
    }
    PyBuffer_Release(&view);
    return found;
}

static PyMethodDef methods[] = {
    {"plain", plain_data_sets, METH_VARARGS, "What the headers at some offsets of a file say, where they are those of plain data sets."},
    {"members", members, METH_VARARGS, "Names and addresses of the members of a group of the old form."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "headers", "Object headers of HDF5 files.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_headers(void) { return PyModule_Create(&definition); }
