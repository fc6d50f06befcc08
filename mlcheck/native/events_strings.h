/* Byte strings and a number for each: open addressing over one growing text. */
#ifndef MLCHECK_EVENTS_STRINGS_H
#define MLCHECK_EVENTS_STRINGS_H

#include <stdlib.h>

#include "events_wire.h"

#define NO_STRING SIZE_MAX

typedef struct {
    uint64_t hash;
    size_t begin, size; /* in the text */
    int32_t number;     /* what the string stands for */
    size_t next;        /* the string that came after this one the last time */
} String;

typedef struct {
    uint64_t seed; /* Of the process, so that no file can be made to collide. */
    String *strings;
    size_t count, room;
    size_t *slots; /* Index of a string + 1, or 0; a power of two of them, at most half full. */
    size_t slot_count;
    uint8_t *text;
    size_t text_size, text_room;
} Strings;

static void free_strings(Strings *table) {
    free(table->strings);
    free(table->slots);
    free(table->text);
    memset(table, 0, sizeof *table);
}

static uint64_t hash_of(const Strings *table, Span text) {
    uint64_t hash = table->seed ^ span_size(text) * 0x9E3779B97F4A7C15u;
    while (text.at != text.end) {
        size_t count = span_size(text) < 8 ? span_size(text) : 8;
        uint64_t word = 0;
        if (count == 8) {
            word = load_64(text.at);
        } else {
            for (size_t one = 0; one < count; one++) word |= (uint64_t)text.at[one] << (8 * one);
        }
        text.at += count;
        hash = (hash ^ word) * 0xBF58476D1CE4E5B9u;
        hash ^= hash >> 29;
    }
    hash *= 0x94D049BB133111EBu;
    return hash ^ hash >> 32;
}

static inline int is_string(const Strings *table, size_t index, Span text) {
    const String *one = &table->strings[index];
    return one->size == span_size(text) && (!one->size || memcmp(table->text + one->begin, text.at, one->size) == 0);
}

/* Index of the string, or NO_STRING. */
static size_t find_string(const Strings *table, Span text) {
    if (!table->slot_count) return NO_STRING;
    uint64_t hash = hash_of(table, text);
    for (size_t slot = hash & (table->slot_count - 1);; slot = (slot + 1) & (table->slot_count - 1)) {
        size_t found = table->slots[slot];
        if (!found) return NO_STRING;
        if (table->strings[found - 1].hash == hash && is_string(table, found - 1, text)) return found - 1;
    }
}

static int grow_slots(Strings *table) {
    size_t count = table->slot_count ? 2 * table->slot_count : 64;
    size_t *slots = calloc(count, sizeof *slots);
    if (!slots) return 0;
    for (size_t one = 0; one < table->count; one++) {
        size_t slot = table->strings[one].hash & (count - 1);
        while (slots[slot]) slot = (slot + 1) & (count - 1);
        slots[slot] = one + 1;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = count;
    return 1;
}

/* A larger array that keeps its content; 0 where there is no memory. */
static int grow_array(void **array, size_t *room, size_t needed, size_t width) {
    if (needed <= *room) return 1;
    size_t more = *room + *room / 2;
    if (more < needed) more = needed;
    if (more < 16) more = 16;
    if (more > (size_t)PTRDIFF_MAX / width) return 0;
    void *larger = realloc(*array, more * width);
    if (!larger) return 0;
    *array = larger;
    *room = more;
    return 1;
}

/* Let a string stand for a number; 0 where there is no memory. One that is known gets the new number. */
static int put_string(Strings *table, Span text, int32_t number) {
    size_t known = find_string(table, text);
    if (known != NO_STRING) {
        table->strings[known].number = number;
        return 1;
    }
    size_t size = span_size(text);
    if (2 * (table->count + 1) > table->slot_count && !grow_slots(table)) return 0;
    if (!grow_array((void **)&table->strings, &table->room, table->count + 1, sizeof *table->strings)) return 0;
    if (!grow_array((void **)&table->text, &table->text_room, table->text_size + size, 1)) return 0;
    if (size) memcpy(table->text + table->text_size, text.at, size);
    uint64_t hash = hash_of(table, text);
    size_t slot = hash & (table->slot_count - 1);
    while (table->slots[slot]) slot = (slot + 1) & (table->slot_count - 1);
    table->strings[table->count] = (String){hash, table->text_size, size, number, NO_STRING};
    table->text_size += size;
    table->slots[slot] = ++table->count;
    return 1;
}

/* The same, where it is probably the one that came after `before` the last time. */
static inline size_t expect_string(Strings *table, size_t before, Span text) {
    size_t expected = before == NO_STRING ? NO_STRING : table->strings[before].next;
    if (expected != NO_STRING && is_string(table, expected, text)) return expected;
    size_t found = find_string(table, text);
    if (before != NO_STRING) table->strings[before].next = found;
    return found;
}

#endif
