/* What the full-screen view shows, and how: between what reads it, what draws it, and the keys. */
#ifndef ONECOPY_CLI_TOP_H
#define ONECOPY_CLI_TOP_H

#include "item_ranking.h"
#include "snapshot.h"

/* What happened in a second, between two readings. */
struct rates {
    double hits, misses, puts, evictions, expirations, dead_clients;
};

/* One cache's share of it. */
struct cache_rates {
    double hits, sets, evictions;
};

enum top_panel { PANEL_ALL, PANEL_CACHES, PANEL_ITEMS, PANEL_HOLDERS, N_PANELS };

/* What the user has chosen. */
struct top_choice {
    enum top_panel panel;
    const struct item_column *sort;
    bool is_reversed;
    bool is_of_entries; /* the list of items is of entries, else of blobs */
    bool is_pinned;     /* only those in view */
    char pattern[128];  /* "": all */
    size_t first;       /* row of the panel that is shown alone */
};

/* What was read last. */
struct top_data {
    struct snapshot now, before; /* two readings; `before` has no path until there was a second */
    struct rates rates;
    struct cache_rates *cache_rates; /* of each of now.caches */
    struct ranking items;
    uint64_t n_items;   /* met, of which the ranking has the first */
    uint64_t read_ns;   /* on the steady clock: the last reading */
    uint64_t walked_ns; /* and the last walk over items */
    uint64_t walk_takes_ns;
};

enum { MAX_TOP_ITEMS = 1000 };

/* Reads figures and, if that is due, walks over the items. A failure is reported. */
enum status top_read(onecopy *cache, const struct top_choice *choice, struct top_data *data);

/* Has the next reading walk over the items, because something else is asked for. */
void top_walk_anew(struct top_data *data);

void top_data_free(struct top_data *data);

/* ---- the screen ---- */

/* Takes the terminal. False: it is none that can be drawn on. */
bool screen_begin(void);

/* Gives it back as it was; may be called twice. */
void screen_end(void);

/* Draws everything. prompt: what is being typed; NULL: nothing. */
void screen_draw(const struct top_data *data, const struct top_choice *choice, const char *prompt);

/* The next key, waited for so long; ERR of <curses.h> when there is none. */
int screen_key(uint64_t wait_ns);

#endif
