/* Members of a group of the old form: B-tree, symbol table nodes, local heap (HDF5 File Format Specification, III.A.1, III.B to III.D).
   Whatever is not as that says is left to libhdf5: OTHER. Nothing is taken that does not lie in the file. */
#ifndef MLCHECK_LINKS_H
#define MLCHECK_LINKS_H

#include "buffers.h"

#include <errno.h>
#include <stdlib.h>
#ifndef _WIN32
#include <sys/stat.h>
#include <unistd.h>
#endif

enum { FAILED = -1, OTHER = 0, TAKEN = 1 };
enum { TREE_HEAD = 24, CHILD = 16, NODE_HEAD = 8, ENTRY = 40, HEAP_HEAD = 32, LINK_INSIDE = 2 };
enum { USUAL_ENTRIES = 32, DEEPEST = 16, MOST_NODES = 1 << 22 };

typedef struct {
    int descriptor;
    uint64_t base, size; /* Addresses count from base; bytes of the file. */
    char *names;
    size_t names_length;
    PyObject *found;
    Py_ssize_t most;
    int nodes_left;
} Table;

static uint64_t number_at(const unsigned char *bytes, int width) {
    uint64_t found = 0;
    for (int i = width - 1; i >= 0; i--) found = found << 8 | bytes[i];
    return found;
}

/* As many bytes at an address as there are, `size` at most. */
static size_t read_some(const Table *table, void *to, size_t size, uint64_t address) {
#ifdef _WIN32
    (void)table, (void)to, (void)size, (void)address;
    return 0;
#else
    size_t done = 0;
    if (table->base > table->size || address >= table->size - table->base) return 0;
    while (done < size) {
        ssize_t got = pread(table->descriptor, (char *)to + done, size - done, (off_t)(table->base + address + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
#endif
}

static int take_heap(Table *table, uint64_t address) {
    unsigned char head[HEAP_HEAD];
    if (read_some(table, head, HEAP_HEAD, address) < HEAP_HEAD || memcmp(head, "HEAP\0", 5) != 0) return OTHER;
    uint64_t length = number_at(head + 8, 8), segment = number_at(head + 24, 8);
    if (!length || length > table->size) return OTHER;
    table->names = malloc((size_t)length);
    if (!table->names) return OTHER;
    table->names_length = read_some(table, table->names, (size_t)length, segment);
    return TAKEN;
}

static int take_entry(Table *table, const unsigned char *entry) {
    uint64_t start = number_at(entry, 8), address = number_at(entry + 8, 8);
    if (number_at(entry + 16, 4) == LINK_INSIDE || start >= table->names_length) return OTHER;
    const char *name = table->names + start, *end = memchr(name, 0, table->names_length - start);
    if (!end || end == name) return OTHER;
    PyObject *item = Py_BuildValue("(y#K)", name, (Py_ssize_t)(end - name), (unsigned long long)address);
    if (!item) return FAILED;
    int status = PyList_Append(table->found, item);
    Py_DECREF(item);
    return status == 0 ? TAKEN : FAILED;
}

static int take_node(Table *table, uint64_t address) {
    unsigned char usual[NODE_HEAD + USUAL_ENTRIES * ENTRY], *block = usual;
    size_t got = read_some(table, usual, sizeof usual, address);
    if (got < NODE_HEAD || memcmp(usual, "SNOD\1", 5) != 0) return OTHER;
    size_t count = (size_t)number_at(usual + 6, 2), need = NODE_HEAD + count * ENTRY;
    if (count > USUAL_ENTRIES) {
        block = malloc(need);
        if (!block) return OTHER;
        got = read_some(table, block, need, address);
    }
    int status = got < need ? OTHER : TAKEN;
    for (size_t i = 0; status == TAKEN && i < count && PyList_Size(table->found) < table->most; i++) {
        status = take_entry(table, block + NODE_HEAD + i * ENTRY);
    }
    if (block != usual) free(block);
    return status;
}

/* Each level is one lower than the one above, so that no tree is endless. */
static int take_tree(Table *table, uint64_t address, int expected) {
    unsigned char head[TREE_HEAD];
    if (read_some(table, head, TREE_HEAD, address) < TREE_HEAD || memcmp(head, "TREE\0", 5) != 0) return OTHER;
    int level = head[5];
    size_t count = (size_t)number_at(head + 6, 2), need = count * CHILD;
    if (level > DEEPEST || (expected >= 0 && level != expected)) return OTHER;
    unsigned char *children = malloc(need ? need : 1);
    int status = children && read_some(table, children, need, address + TREE_HEAD) == need ? TAKEN : OTHER;
    for (size_t i = 0; status == TAKEN && i < count && PyList_Size(table->found) < table->most; i++) {
        uint64_t child = number_at(children + i * CHILD + 8, 8);
        if (table->nodes_left-- <= 0) status = OTHER;
        else status = level ? take_tree(table, child, level - 1) : take_node(table, child);
    }
    free(children);
    return status;
}

/* members(descriptor, base, tree, heap, most) */
static PyObject *members(PyObject *module, PyObject *arguments) {
    (void)module;
    Table table = {.nodes_left = MOST_NODES};
    unsigned long long base, tree, heap;
    if (!PyArg_ParseTuple(arguments, "iKKKn", &table.descriptor, &base, &tree, &heap, &table.most)) return NULL;
    table.base = base;
#ifndef _WIN32
    struct stat about;
    if (fstat(table.descriptor, &about) == 0) table.size = (uint64_t)about.st_size;
#endif
    table.found = PyList_New(0);
    if (!table.found) return NULL;
    int status = take_heap(&table, heap);
    if (status == TAKEN) status = take_tree(&table, tree, -1);
    free(table.names);
    if (status == TAKEN) return table.found;
    Py_DECREF(table.found);
    if (status == FAILED) return NULL;
    Py_RETURN_NONE;
}

#endif
