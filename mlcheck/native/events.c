/* Event files of TensorBoard, read record by record into columns by tag; events.pyi says what is asked and given. */
#include "buffers.h"

#include <structmember.h>

#include "events_table.h"

/* A column that belongs to whoever holds this. */
typedef struct {
    PyObject_HEAD
    void *memory;
    Py_ssize_t size;
} Column;

static int column_buffer(Column *self, Py_buffer *view, int flags) {
    static double nothing;
    return PyBuffer_FillInfo(view, (PyObject *)self, self->memory ? self->memory : &nothing, self->size, 0, flags);
}

static void column_free(Column *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    free(self->memory);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot column_slots[] = {
    {Py_bf_getbuffer, (void *)column_buffer},
    {Py_tp_dealloc, (void *)column_free},
    {Py_tp_doc, "Memory of one column."},
    {0, NULL},
};

static PyType_Spec column_spec = {
    .name = "mlcheck.native.events.Column",
    .basicsize = sizeof(Column),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = column_slots,
};

typedef struct {
    PyObject_HEAD
    Table table;
    int busy; /* A thread reads without the interpreter's lock. */
} TableObject;

typedef struct {
    PyTypeObject *column, *table;
} State;

static int borrow_table(TableObject *self) {
    if (self->busy) PyErr_SetString(PyExc_RuntimeError, "another thread reads into this table");
    return !self->busy;
}

static PyObject *table_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
    static char *keywords[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, names, "", keywords)) return NULL;
    /* Hashes of bytes are salted: see PYTHONHASHSEED. */
    PyObject *salted = PyBytes_FromString("mlcheck.native.events");
    Py_hash_t seed = salted ? PyObject_Hash(salted) : -1;
    Py_XDECREF(salted);
    if (seed == -1 && PyErr_Occurred()) return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TableObject *self = (TableObject *)allocate(type, 0);
    if (!self) return NULL;
    memset(&self->table, 0, sizeof self->table);
    self->table.names.seed = self->table.metadata.seed = (uint64_t)seed;
    self->table.last_name = NO_STRING;
    self->busy = 0;
    return (PyObject *)self;
}

static void table_free(TableObject *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_table(&self->table);
    release(self);
    Py_DECREF(type);
}

static PyObject *table_read(TableObject *self, PyObject *arguments) {
    Py_buffer view;
    Py_ssize_t begin, size;
    double done;
    PyObject *accepted;
    if (!PyArg_ParseTuple(arguments, "y*nndO", &view, &begin, &size, &done, &accepted)) return NULL;
    Stretch stretch = {view.buf, (size_t)size, done, accepted != Py_None, 0};
    Stop stop = {END, 0, 0, 0};
    if (stretch.verifies) stretch.accepted = (uint32_t)PyLong_AsUnsignedLongMask(accepted);
    if (begin < 0 || begin > size || size > view.len) {
        PyErr_SetString(PyExc_ValueError, "the stretch is not inside the buffer");
    }
    if (!PyErr_Occurred() && borrow_table(self)) {
        self->busy = 1;
        Py_BEGIN_ALLOW_THREADS
        stop = read_records(&self->table, &stretch, (size_t)begin);
        Py_END_ALLOW_THREADS
        self->busy = 0;
        if (stop.why == NO_MEMORY) PyErr_NoMemory();
    }
    PyBuffer_Release(&view);
    if (PyErr_Occurred()) return NULL;
    return Py_BuildValue("innn", (int)stop.why, (Py_ssize_t)stop.position, (Py_ssize_t)stop.begin, (Py_ssize_t)stop.size);
}

static PyObject *know(TableObject *self, PyObject *arguments, Strings *strings, int is_tag) {
    const char *text;
    Py_ssize_t size;
    int number;
    if (!PyArg_ParseTuple(arguments, "y#i", &text, &size, &number) || !borrow_table(self)) return NULL;
    Span span = {(const uint8_t *)text, (const uint8_t *)text + size};
    if (is_tag && number >= 0 && !tag_of(&self->table, (size_t)number)) return PyErr_NoMemory();
    if (!put_string(strings, span, number)) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *table_know_tag(TableObject *self, PyObject *arguments) { return know(self, arguments, &self->table.names, 1); }

static PyObject *table_know_metadata(TableObject *self, PyObject *arguments) {
    return know(self, arguments, &self->table.metadata, 0);
}

/* The tag of this number, NULL with an exception where there can be none. */
static Tag *asked_tag(TableObject *self, int number) {
    if (!borrow_table(self)) return NULL;
    if (number < 0) {
        PyErr_SetString(PyExc_ValueError, "a tag has no number below 0");
        return NULL;
    }
    Tag *tag = tag_of(&self->table, (size_t)number);
    if (!tag) PyErr_NoMemory();
    return tag;
}

static PyObject *table_add_scalar(TableObject *self, PyObject *arguments) {
    int number, is_tensor;
    long long step;
    double wall_time, value, done;
    if (!PyArg_ParseTuple(arguments, "iLddpd", &number, &step, &wall_time, &value, &is_tensor, &done)) return NULL;
    Tag *tag = asked_tag(self, number);
    if (!tag) return NULL;
    if (!add_scalar(tag, step, wall_time, value, is_tensor, done)) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Left edges, right edges and counts as float64 of one length, into the table's buckets; -1 with an exception. */
static Py_ssize_t take_buckets(Buckets *buckets, PyObject *const sources[3]) {
    static const char *const names[3] = {"left", "right", "counts"};
    Py_ssize_t count = -1;
    for (int one = 0; one < 3; one++) {
        Py_buffer view;
        if (!mlcheck_borrow(sources[one], &view, 0, count, sizeof(double), names[one])) return -1;
        if (one == 0) {
            count = view.len / (Py_ssize_t)sizeof(double);
            if (!make_room(buckets, (size_t)count)) {
                PyErr_NoMemory();
                count = -1;
            }
        }
        double *into[3] = {buckets->left, buckets->right, buckets->counts};
        if (count > 0) memcpy(into[one], view.buf, (size_t)count * sizeof(double));
        PyBuffer_Release(&view);
        if (count < 0) return -1;
    }
    return count;
}

static PyObject *table_add_histogram(TableObject *self, PyObject *arguments) {
    int number, is_tensor;
    long long step;
    double wall_time, done, stated[STATED];
    PyObject *sources[3], *given;
    if (!PyArg_ParseTuple(arguments, "iLdOOOOpd", &number, &step, &wall_time, &sources[0], &sources[1], &sources[2], &given,
                          &is_tensor, &done)) {
        return NULL;
    }
    if (given != Py_None &&
        !PyArg_ParseTuple(given, "ddddd", &stated[0], &stated[1], &stated[2], &stated[3], &stated[4])) {
        return NULL;
    }
    Tag *tag = asked_tag(self, number);
    if (!tag) return NULL;
    Py_ssize_t count = take_buckets(&self->table.buckets, sources);
    if (count < 0) return NULL;
    const double *known = given == Py_None ? NULL : stated;
    if (!add_histogram(&self->table, tag, step, wall_time, (size_t)count, known, is_tensor, done)) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *table_passed(TableObject *self, PyObject *nothing) {
    (void)nothing;
    if (!borrow_table(self)) return NULL;
    self->table.records++;
    Py_RETURN_NONE;
}

static PyObject *table_met(TableObject *self, PyObject *nothing) {
    (void)nothing;
    if (!borrow_table(self)) return NULL;
    PyObject *found = PyList_New(0);
    for (size_t one = 0; found && one < self->table.count; one++) {
        const Tag *tag = &self->table.tags[one];
        if (tag->first < 0) continue;
        PyObject *row = Py_BuildValue("n(LL)i(LL)", (Py_ssize_t)one, (long long)tag->first, (long long)tag->first_place,
                                      (int)tag->plugin, (long long)tag->plugin_at, (long long)tag->plugin_place);
        if (!row || PyList_Append(found, row) != 0) Py_CLEAR(found);
        Py_XDECREF(row);
    }
    return found;
}

/* Hand out one column, which is the receiver's from then on. */
static PyObject *give_column(State *state, Rows *rows, int column) {
    Column *given = PyObject_New(Column, state->column);
    if (!given) return NULL;
    given->size = (Py_ssize_t)(8 * rows->size);
    given->memory = rows->columns[column].memory;
    rows->columns[column].memory = NULL;
    void *exact = given->size ? realloc(given->memory, (size_t)given->size) : NULL;
    if (exact) given->memory = exact;
    return (PyObject *)given;
}

static PyObject *table_take(TableObject *self, PyObject *arguments) {
    int number, histograms, with_tensors;
    if (!PyArg_ParseTuple(arguments, "ipp", &number, &histograms, &with_tensors) || !borrow_table(self)) return NULL;
    if (number < 0 || (size_t)number >= self->table.count) Py_RETURN_NONE;
    Tag *tag = &self->table.tags[number];
    Rows *rows = histograms ? tag->histograms : tag->scalars;
    if (!rows) Py_RETURN_NONE;
    *(histograms ? &tag->histograms : &tag->scalars) = NULL;
    if (!with_tensors) {
        if (rows->tensors == rows->size) rows->size = 0;
        drop_tensors(rows);
    }
    PyObject *found = NULL;
    State *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    if (rows->size && state) found = PyTuple_New(rows->width);
    for (int column = 0; found && column < rows->width; column++) {
        PyObject *one = give_column(state, rows, column);
        if (!one || PyTuple_SetItem(found, column, one) != 0) Py_CLEAR(found);
    }
    int is_empty = rows->size == 0;
    free_rows(rows);
    if (is_empty) Py_RETURN_NONE;
    return found;
}

/* One number of a tag for each tag of the other table, as int32. */
static PyObject *table_append(TableObject *self, PyObject *arguments) {
    TableObject *other;
    PyObject *given;
    Py_buffer numbers;
    if (!PyArg_ParseTuple(arguments, "O!O", Py_TYPE((PyObject *)self), &other, &given)) return NULL;
    if (!borrow_table(self) || !borrow_table(other)) return NULL;
    if (self == other) return PyErr_Format(PyExc_ValueError, "a table cannot be put behind itself");
    if (!mlcheck_borrow(given, &numbers, 0, (Py_ssize_t)other->table.count, sizeof(int32_t), "numbers")) return NULL;
    for (size_t one = 0; one < other->table.count && !PyErr_Occurred(); one++) {
        int32_t number;
        memcpy(&number, (const char *)numbers.buf + one * sizeof number, sizeof number);
        Tag *tag = asked_tag(self, number);
        if (tag && !append_tag(tag, &other->table.tags[one])) PyErr_NoMemory();
    }
    PyBuffer_Release(&numbers);
    if (PyErr_Occurred()) return NULL;
    self->table.records += other->table.records;
    Py_RETURN_NONE;
}

static PyMethodDef table_methods[] = {
    {"read", (PyCFunction)table_read, METH_VARARGS, "Read the records of a stretch of bytes."},
    {"know_tag", (PyCFunction)table_know_tag, METH_VARARGS, "Say which number a tag has."},
    {"know_metadata", (PyCFunction)table_know_metadata, METH_VARARGS, "Say which plugin metadata name."},
    {"add_scalar", (PyCFunction)table_add_scalar, METH_VARARGS, "Add a row that was read elsewhere."},
    {"add_histogram", (PyCFunction)table_add_histogram, METH_VARARGS, "Add the statistics of a histogram that was read elsewhere."},
    {"passed", (PyCFunction)table_passed, METH_NOARGS, "Count a record that was read elsewhere."},
    {"met", (PyCFunction)table_met, METH_NOARGS, "Tags of which there are rows."},
    {"append", (PyCFunction)table_append, METH_VARARGS, "Take over the rows of a later part of the file."},
    {"take", (PyCFunction)table_take, METH_VARARGS, "Hand out the rows of a tag."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef table_members[] = {
    {"records", T_LONGLONG, offsetof(TableObject, table.records), READONLY, NULL},
    {"events", T_LONGLONG, offsetof(TableObject, table.events), READONLY, NULL},
    {"first_event", T_LONGLONG, offsetof(TableObject, table.first_event), READONLY, NULL},
    {"first_wall_time", T_DOUBLE, offsetof(TableObject, table.first_wall_time), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_new, (void *)table_new},
    {Py_tp_dealloc, (void *)table_free},
    {Py_tp_methods, table_methods},
    {Py_tp_members, table_members},
    {Py_tp_doc, "The rows of an event file by tag."},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "mlcheck.native.events.Table",
    .basicsize = sizeof(TableObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = table_slots,
};

static PyObject *module_find_record(PyObject *module, PyObject *arguments) {
    Py_buffer view;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*", &view)) return NULL;
    Stretch stretch = {view.buf, (size_t)view.len, 1, 0, 0};
    size_t found = find_record(&stretch, 0);
    int is_none = found == stretch.size;
    PyBuffer_Release(&view);
    if (is_none) Py_RETURN_NONE;
    return PyLong_FromSize_t(found);
}

static PyMethodDef functions[] = {
    {"find_record", module_find_record, METH_VARARGS, "Where a record seems to begin."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, (PyTypeObject *)type) != 0) Py_CLEAR(type);
    return (PyTypeObject *)type;
}

static int prepare(PyObject *module) {
    static const char *const names[] = {"END", "CUT", "WRONG_CHECKSUM", "WRONG_LENGTH", "READ_SLOWLY",
                                        "READ_VERSION", "NEW_TAG", "NEW_METADATA", "WRONG_PAYLOAD"};
    State *state = PyModule_GetState(module);
    crc_prepare();
    for (int why = END; why < NO_MEMORY; why++) {
        if (PyModule_AddIntConstant(module, names[why], why) != 0) return -1;
    }
    state->column = add_type(module, &column_spec);
    state->table = state->column ? add_type(module, &table_spec) : NULL;
    return state->table ? 0 : -1;
}

static int clear_state(PyObject *module) {
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->column);
    Py_CLEAR(state->table);
    return 0;
}

static void free_state(void *module) { clear_state((PyObject *)module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mlcheck.native.events",
    .m_doc = "Event files of TensorBoard, read into columns by tag.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_clear = clear_state,
    .m_free = free_state,
};

PyMODINIT_FUNC PyInit_events(void) { return PyModuleDef_Init(&definition); }
