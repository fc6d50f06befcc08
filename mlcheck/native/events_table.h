/* All rows of an event file by tag, and the loop over its records. Nothing here calls Python. */
#ifndef MLCHECK_EVENTS_TABLE_H
#define MLCHECK_EVENTS_TABLE_H

#include "events_histogram.h"
#include "events_rows.h"
#include "events_strings.h"
#include "events_value.h"

#define HEADER 12
#define OVERHEAD 16
/* A protobuf message holds less than 2 GiB; a longer length is damage (protobuf.dev, "Total Size of Message"). */
#define LONGEST 0x7FFFFFFFu
/* Bytes of all metadata that are kept; events with others are left to protobuf. Writers have a few hundred. */
#define METADATA_KEPT (16u << 20)

typedef struct {
    Rows *scalars, *histograms;
    int64_t first, first_place;         /* record of its first row, -1 for none, and the place of the value in it */
    int32_t plugin;                     /* number of the first plugin that is named, 0 for none */
    int64_t plugin_at, plugin_place;    /* record and place that name it */
    size_t metadata;                    /* index of the last metadata that its values had */
} Tag;

typedef struct {
    Tag *tags;
    size_t count, room;
    Strings names;     /* numbers are indices of `tags`, or -1 for a tag that only protobuf reads */
    Strings metadata;  /* numbers are those of plugins, 0 for none, or -1 where only protobuf reads the event */
    size_t last_name;
    Buckets buckets;
    int64_t records, events;
    int64_t first_event; /* number and wall time of the first record that was read here */
    double first_wall_time;
} Table;

/* Why the loop stopped; the first four end the stretch. */
typedef enum { END, CUT, WRONG_CHECKSUM, WRONG_LENGTH, READ_SLOWLY, READ_VERSION, NEW_TAG, NEW_METADATA, WRONG_PAYLOAD, NO_MEMORY } Why;

typedef struct {
    Why why;
    size_t position;      /* where the record begins */
    size_t begin, size;   /* what `why` is about: a payload, a tag, metadata; of a record that is cut, the bytes that it takes */
} Stop;

typedef struct {
    const uint8_t *data;
    size_t size;
    double done;          /* share of the file that has been read */
    int verifies;         /* compare every payload with its checksum, … */
    uint32_t accepted;    /* … or with this number */
} Stretch;

static void free_table(Table *table) {
    for (size_t one = 0; one < table->count; one++) {
        free_rows(table->tags[one].scalars);
        free_rows(table->tags[one].histograms);
    }
    free(table->tags);
    free_strings(&table->names);
    free_strings(&table->metadata);
    free_buckets(&table->buckets);
    table->tags = NULL;
    table->count = table->room = 0;
}

/* The tag of this number, made where there is none; NULL where there is no memory. */
static Tag *tag_of(Table *table, size_t number) {
    if (!grow_array((void **)&table->tags, &table->room, number + 1, sizeof *table->tags)) return NULL;
    for (; table->count <= number; table->count++) table->tags[table->count] = (Tag){NULL, NULL, -1, 0, 0, 0, 0, NO_STRING};
    return &table->tags[number];
}

static int add_scalar(Tag *tag, int64_t step, double wall_time, double value, int is_tensor, double done) {
    if (!tag->scalars && !(tag->scalars = new_rows(SCALAR_COLUMNS))) return 0;
    return add_row(tag->scalars, step, wall_time, &value, is_tensor, done);
}

/* Of the buckets that lie in `table->buckets`. */
static int add_histogram(Table *table, Tag *tag, int64_t step, double wall_time, size_t count, const double *stated, int is_tensor,
                         double done) {
    double found[STATISTICS];
    if (!tag->histograms && !(tag->histograms = new_rows(2 + STATISTICS))) return 0;
    measure(&table->buckets, count, stated, found);
    return add_row(tag->histograms, step, wall_time, found, is_tensor, done);
}

/* Put the buckets of a value into the table's; 0 where there is no memory. */
static int gather_buckets(Buckets *buckets, const Value *value) {
    if (!make_room(buckets, value->buckets)) return 0;
    if (value->shape == OLD_HISTOGRAM && value->buckets) {
        load_doubles(buckets->right, value->edges, value->buckets);
        load_doubles(buckets->counts, value->counts, value->buckets);
        /* The lowest bucket has no lower edge. */
        buckets->left[0] = -INFINITY;
        memcpy(buckets->left + 1, buckets->right, (value->buckets - 1) * sizeof(double));
    }
    for (size_t one = 0; value->shape == NEW_HISTOGRAM && one < value->buckets; one++) {
        buckets->left[one] = load_double(value->edges + 24 * one);
        buckets->right[one] = load_double(value->edges + 24 * one + 8);
        buckets->counts[one] = load_double(value->edges + 24 * one + 16);
    }
    return 1;
}

/* What the tag and the metadata of a value stand for. */
typedef struct {
    Tag *tag;
    size_t metadata; /* NO_STRING where there are none */
    int32_t plugin;
} Place;

static Why find_place(Table *table, const Value *value, Place *place) {
    size_t name = expect_string(&table->names, table->last_name, value->tag);
    if (name == NO_STRING) return NEW_TAG;
    table->last_name = name;
    if (table->names.strings[name].number < 0) return READ_SLOWLY;
    *place = (Place){&table->tags[table->names.strings[name].number], NO_STRING, 0};
    if (!value->metadata.at) return END;
    place->metadata = place->tag->metadata;
    if (place->metadata == NO_STRING || !is_string(&table->metadata, place->metadata, value->metadata)) {
        place->metadata = find_string(&table->metadata, value->metadata);
    }
    if (place->metadata == NO_STRING) return table->metadata.text_size < METADATA_KEPT ? NEW_METADATA : READ_SLOWLY;
    place->plugin = table->metadata.strings[place->metadata].number;
    return place->plugin < 0 ? READ_SLOWLY : END;
}

/* 0 where there is no memory. */
static int keep_value(Table *table, const Event *event, const Value *value, const Place *place, int64_t number, double done) {
    Tag *tag = place->tag;
    if (value->shape == SCALAR) {
        if (!add_scalar(tag, event->step, event->wall_time, value->number, value->is_tensor, done)) return 0;
    } else {
        const double *stated = value->shape == OLD_HISTOGRAM ? value->stated : NULL;
        if (!gather_buckets(&table->buckets, value)) return 0;
        if (!add_histogram(table, tag, event->step, event->wall_time, value->buckets, stated, value->is_tensor, done)) return 0;
    }
    if (tag->first < 0) {
        tag->first = table->records;
        tag->first_place = number;
    }
    if (place->metadata != NO_STRING) tag->metadata = place->metadata;
    if (place->plugin && !tag->plugin) {
        tag->plugin = place->plugin;
        tag->plugin_at = table->records;
        tag->plugin_place = number;
    }
    return 1;
}

/* Keep the values of a summary, all of them or none. END: they are kept; else `about` is what the caller must know. */
static Why keep_summary(Table *table, const Event *event, double done, Span *about) {
    Span rest = event->rest, content;
    Value value;
    Place place;
    int64_t count = 0;
    while (rest.at != rest.end) {
        if (!take_field(&rest, 0x0A, &content) || !(value.shape = read_value(content, &value))) return READ_SLOWLY;
        Why why = find_place(table, &value, &place);
        if (why == NEW_TAG) *about = value.tag;
        if (why == NEW_METADATA) *about = value.metadata;
        if (why != END) return why;
        count++;
    }
    if (count == 1) return keep_value(table, event, &value, &place, 0, done) ? END : NO_MEMORY;
    rest = event->rest;
    for (int64_t number = 0; number < count; number++) {
        take_field(&rest, 0x0A, &content);
        value.shape = read_value(content, &value);
        find_place(table, &value, &place);
        if (!keep_value(table, event, &value, &place, number, done)) return NO_MEMORY;
    }
    return END;
}

/* The record that begins there; END where it is whole and sound. */
static Why frame_record(const Stretch *stretch, size_t position, Span *payload, size_t *needed) {
    size_t left = stretch->size - position;
    const uint8_t *head = stretch->data + position;
    *needed = HEADER;
    if (left < HEADER) return CUT;
    if (load_32(head + 8) != masked_crc(head, 8)) return WRONG_CHECKSUM;
    uint64_t length = load_64(head);
    if (length > LONGEST) return WRONG_LENGTH;
    *needed = OVERHEAD + (size_t)length;
    if (left < *needed) return CUT;
    payload->at = head + HEADER;
    payload->end = payload->at + (size_t)length;
    if (!stretch->verifies) return END;
    uint32_t said = load_32(payload->end);
    return said == stretch->accepted || said == masked_crc(payload->at, (size_t)length) ? END : WRONG_PAYLOAD;
}

static Stop stop_at(const Stretch *stretch, Why why, size_t position, Span about) {
    return (Stop){why, position, (size_t)(about.at - stretch->data), span_size(about)};
}

/* Read the records from `position` on, which is at most the size of the stretch. A record for which it stops is not counted, and may
   be read again once its tag or metadata is known. */
static Stop read_records(Table *table, const Stretch *stretch, size_t position) {
    while (position < stretch->size) {
        Span payload;
        Event event;
        size_t needed;
        Why why = frame_record(stretch, position, &payload, &needed);
        if (why == WRONG_PAYLOAD) return stop_at(stretch, why, position, payload);
        if (why != END) return (Stop){why, position, position, needed};
        Kind kind = read_event(payload, &event);
        if (kind == VERSION) return stop_at(stretch, READ_VERSION, position, event.rest);
        Span about = payload;
        if (kind == FOR_PROTOBUF) why = READ_SLOWLY;
        if (kind == SUMMARY) why = keep_summary(table, &event, stretch->done, &about);
        if (why != END) return stop_at(stretch, why, position, about);
        if (!table->events++) {
            table->first_event = table->records;
            table->first_wall_time = event.wall_time;
        }
        table->records++;
        position += needed;
    }
    return (Stop){END, position, position, HEADER};
}

/* Where from `begin` on a record seems to begin: its length has the right checksum. The size of the stretch where none does. */
static size_t find_record(const Stretch *stretch, size_t begin) {
    for (; stretch->size - begin >= HEADER; begin++) {
        const uint8_t *head = stretch->data + begin;
        if (load_64(head) <= LONGEST && load_32(head + 8) == masked_crc(head, 8)) return begin;
    }
    return stretch->size;
}

/* Put the rows of a tag of a later stretch of the file behind those of a tag; 0 where there is no memory. */
static int append_tag(Tag *tag, Tag *more) {
    Rows **into[2] = {&tag->scalars, &tag->histograms}, **from[2] = {&more->scalars, &more->histograms};
    for (int kind = 0; kind < 2; kind++) {
        if (!*from[kind]) continue;
        if (!*into[kind]) {
            *into[kind] = *from[kind];
        } else {
            if (!append_rows(*into[kind], *from[kind])) return 0;
            free_rows(*from[kind]);
        }
        *from[kind] = NULL;
    }
    return 1;
}

#endif
