/*
 * Drawing for `top`. A screen is lines, each of which is composed as text and then put where it belongs, cut or filled
 * to the terminal's width: nothing here knows how wide that is but the line's end. What is a stranger's has been
 * escaped before it gets into a line.
 *
 * The three lists share what the head leaves of the screen. Caches and holders have a quarter each at most, the items
 * the rest; alone, a list has all of it.
 */
#include <curses.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cleanup.h"
#include "colour.h"
#include "escape.h"
#include "holders.h"
#include "print.h"
#include "top.h"

enum { LINE_BYTES = 1024, HEAD_LINES = 5, BAR_COLUMNS = 20, ESCAPE_DELAY_MS = 25 };

enum look { LOOK_PLAIN, LOOK_HEADING, LOOK_BAD, LOOK_WARNING };

static SCREEN *screen;
static bool has_look_colours;

/* ---- the terminal ---- */

bool screen_begin(void)
{
    setlocale(LC_CTYPE, "");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return false;
    report_after(screen_end); /* on the screen of ours, a line would be gone with it */
    set_escdelay(ESCAPE_DELAY_MS);
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    curs_set(0);
    has_look_colours = *colour_begin(COLOUR_BAD) && has_colors() && start_color() == OK && use_default_colors() == OK &&
                       init_pair(LOOK_BAD, COLOR_RED, -1) == OK && init_pair(LOOK_WARNING, COLOR_YELLOW, -1) == OK;
    return true;
}

void screen_end(void)
{
    report_after(NULL);
    if (!screen)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

int screen_key(uint64_t wait_ns)
{
    timeout((int)(wait_ns / 1000000));
    return getch();
}

static attr_t look_attribute(enum look look)
{
    switch (look) {
    case LOOK_HEADING:
        return A_REVERSE;
    case LOOK_BAD:
    case LOOK_WARNING:
        return A_BOLD | (has_look_colours ? (attr_t)COLOR_PAIR(look) : 0);
    default:
        return A_NORMAL;
    }
}

/* Puts a text at the beginning of a row, as much of it as there are columns, and blanks after it. */
static void row_put(int row, enum look look, const char *text)
{
    int n_columns = 0;
    mbstate_t state = {0};

    if (row >= LINES)
        return;
    move(row, 0);
    attrset((int)look_attribute(look));
    while (*text) {
        wchar_t character;
        size_t n_bytes = mbrtowc(&character, text, strlen(text), &state);
        bool is_strange = n_bytes == 0 || n_bytes > strlen(text);
        int width = is_strange ? 1 : wcwidth(character);

        if (is_strange) { /* to this locale: keys are UTF-8 where they are not escaped */
            n_bytes = 1;
            state = (mbstate_t){0};
        }
        if (width < 0 || n_columns + width > COLS)
            break;
        addnstr(is_strange ? "?" : text, is_strange ? 1 : (int)n_bytes);
        n_columns += width;
        text += n_bytes;
    }
    for (; n_columns < COLS; n_columns++)
        addch(' ');
    attrset(A_NORMAL);
}

__attribute__((format(printf, 3, 4))) static void row_print(int row, enum look look, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list values;

    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    row_put(row, look, line);
}

/* ---- the head ---- */

static const char *text_of_rate(double rate, char text[TEXT_BYTES])
{
    if (rate < 9.95)
        snprintf(text, TEXT_BYTES, "%.1f/s", rate);
    else if (rate < 1e5)
        snprintf(text, TEXT_BYTES, "%.0f/s", rate);
    else
        snprintf(text, TEXT_BYTES, "%.0fk/s", rate / 1000);
    return text;
}

static const char *bar_make(uint64_t part, uint64_t whole, char bar[BAR_COLUMNS + 1])
{
    double share = whole ? (double)part / (double)whole : 0;
    int n_full = (int)((share < 1 ? share : 1) * BAR_COLUMNS + 0.5);

    memset(bar, '#', (size_t)n_full);
    memset(bar + n_full, '.', (size_t)(BAR_COLUMNS - n_full));
    bar[BAR_COLUMNS] = '\0';
    return bar;
}

static void memory_draw(int row, const struct onecopy_stat *stat)
{
    char bar[BAR_COLUMNS + 1], used[TEXT_BYTES], max[TEXT_BYTES], live[TEXT_BYTES], free_text[TEXT_BYTES];

    row_print(row, LOOK_PLAIN, "Memory    [%s] %8s of %-8s  live %s  free %s",
              bar_make(stat->used_bytes, stat->max_bytes, bar), text_of_bytes(stat->used_bytes, used),
              text_of_bytes(stat->max_bytes, max), text_of_bytes(stat->live_bytes, live),
              text_of_bytes(stat->free_bytes, free_text));
}

static void stored_draw(int row, const struct onecopy_stat *stat)
{
    char bar[BAR_COLUMNS + 1], n[TEXT_BYTES], max[TEXT_BYTES];
    uint64_t all = stat->entries + stat->results;

    row_print(row, LOOK_PLAIN, "Stored    [%s] %8s of %s  processes %" PRIu64 "  views %" PRIu64,
              bar_make(all, stat->max_entries, bar), text_of_number(all, n), text_of_number(stat->max_entries, max),
              stat->clients, stat->pins);
}

static void rates_draw(int row, const struct rates *rates)
{
    char hits[TEXT_BYTES], misses[TEXT_BYTES], puts_text[TEXT_BYTES], expirations[TEXT_BYTES], rate[TEXT_BYTES] = "-";
    double requests = rates->hits + rates->misses;

    if (requests > 0)
        text_of_percent(rates->hits / requests * 100, rate);
    row_print(row, LOOK_PLAIN, "Rates     hits %s  misses %s (hit rate %s)  puts %s  expired %s",
              text_of_rate(rates->hits, hits), text_of_rate(rates->misses, misses), rate,
              text_of_rate(rates->puts, puts_text), text_of_rate(rates->expirations, expirations));
}

/* How hard it is to find room: what is evicted, and how much of the limit nobody may evict. */
static void pressure_draw(int row, const struct top_data *data)
{
    const struct onecopy_stat *stat = &data->now.stat;
    char evictions[TEXT_BYTES], pinned[TEXT_BYTES], kept[TEXT_BYTES], share[TEXT_BYTES];
    double held = stat->max_bytes ? (double)(stat->pinned_bytes + stat->kept_bytes) / (double)stat->max_bytes * 100 : 0;
    enum look look = held >= 50 ? LOOK_BAD : data->rates.evictions > 0 ? LOOK_WARNING : LOOK_PLAIN;

    row_print(row, look, "Pressure  evicted %s  in view %s  kept %s  (%s of the limit)",
              text_of_rate(data->rates.evictions, evictions), text_of_bytes(stat->pinned_bytes, pinned),
              text_of_bytes(stat->kept_bytes, kept), text_of_percent(held, share));
}

static void head_draw(const struct top_data *data)
{
    CLEANUP_FREE char *path = text_escape(data->now.path);
    char time[TEXT_BYTES];

    row_print(0, LOOK_HEADING, "onecopy top   %s   %s", text_of_time(data->now.now_ns, time), path ? path : "?");
    memory_draw(1, &data->now.stat);
    stored_draw(2, &data->now.stat);
    rates_draw(3, &data->rates);
    pressure_draw(4, data);
}

/* ---- lists ---- */

/* A list's rows on the screen: a heading at `row`, and n_rows of it from the first. */
struct place {
    int row;
    size_t n_rows, first;
};

static void caches_draw(const struct top_data *data, struct place place)
{
    row_put(place.row, LOOK_HEADING, "CACHE              ENTRIES     BYTES    FULL  HIT RATE    HITS   SETS  EVICTED");
    for (size_t i = 0; i < place.n_rows && place.first + i < data->now.n_caches; i++) {
        const struct onecopy_cache_stat *stat = &data->now.caches[place.first + i];
        const struct cache_rates *rates = &data->cache_rates[place.first + i];
        char size[TEXT_BYTES], bytes[TEXT_BYTES], hits[TEXT_BYTES], sets[TEXT_BYTES], evictions[TEXT_BYTES];
        char hit_rate[TEXT_BYTES] = "-";

        if (stat->total_requests)
            snprintf(hit_rate, sizeof hit_rate, "%.1f%%", stat->hit_rate_percent);
        row_print(place.row + 1 + (int)i, rates->evictions > 0 ? LOOK_WARNING : LOOK_PLAIN,
                  "%-14s  %10s  %8s  %5.1f%%  %8s  %6s %6s  %7s", stat->name, text_of_number(stat->size, size),
                  text_of_bytes(stat->bytes, bytes), stat->utilization_percent, hit_rate,
                  text_of_rate(rates->hits, hits), text_of_rate(rates->sets, sets),
                  text_of_rate(rates->evictions, evictions));
    }
}

/* What an item is called: of a blob its ref, of an entry its cache and key. The caller's to free; or NULL. */
static char *item_name(const struct item *item)
{
    const onecopy_key key = {.cache = item->cache, .bytes = item->key, .length_bytes = item->key_bytes};
    CLEANUP_FREE char *text = NULL;
    char ref[ONECOPY_REF_TEXT_BYTES], *name;

    if (!item->cache)
        return strdup(onecopy_ref_format(&item->ref, ref));
    text = text_of_key(&key);
    return text && asprintf(&name, "%s  %s", item->cache, text) >= 0 ? name : NULL;
}

static void item_draw(int row, const struct item *item, uint64_t now_ns)
{
    CLEANUP_FREE char *name = item_name(item);
    char bytes[TEXT_BYTES], hits[TEXT_BYTES], idle[TEXT_BYTES], left[TEXT_BYTES] = "-", pins[TEXT_BYTES];

    if (item->expires_ns != ONECOPY_NEVER)
        text_of_age(span_between(now_ns, item->expires_ns), left);
    row_print(row, item->pins ? LOOK_WARNING : LOOK_PLAIN, "%8s %8s %7s %8s %5s  %s",
              text_of_bytes(item->length_bytes, bytes), text_of_number(item->hits, hits),
              text_of_age(span_between(item->accessed_ns, now_ns), idle), left, text_of_number(item->pins, pins),
              name ? name : "?");
}

static void items_draw(const struct top_data *data, const struct top_choice *choice, struct place place)
{
    char n[TEXT_BYTES];

    row_print(place.row, LOOK_HEADING, "    SIZE     HITS    IDLE TTL LEFT VIEWS  %s (%s) by %s%s%s%s%s",
              choice->is_of_entries ? "ENTRIES" : "BLOBS", text_of_number(data->n_items, n), choice->sort->name,
              choice->is_reversed ? ", reverse" : "", choice->is_pinned ? ", in view" : "",
              *choice->pattern ? ", " : "", choice->pattern);
    for (size_t i = 0; i < place.n_rows && place.first + i < data->items.n_items; i++)
        item_draw(place.row + 1 + (int)i, &data->items.items[place.first + i], data->now.now_ns);
}

static void holder_draw(int row, const struct onecopy_client *client, uint64_t now_ns)
{
    CLEANUP_FREE char *command = text_escape(client->command);
    char user[TEXT_BYTES], views[TEXT_BYTES], held[TEXT_BYTES], oldest[TEXT_BYTES] = "-", pending[TEXT_BYTES];

    if (client->oldest_pin_ns)
        text_of_age(span_between(client->oldest_pin_ns, now_ns), oldest);
    row_print(row, client->is_alive ? LOOK_PLAIN : LOOK_BAD, "%8" PRId32 "  %-15s  %-8s  %-5s  %6s  %8s  %7s  %8s",
              client->pid, command ? command : "?", text_of_user(client->user, user), client_state(client),
              text_of_number(client->pins, views), text_of_bytes(client->pinned_bytes, held), oldest,
              text_of_bytes(client->pending_bytes, pending));
}

static void holders_draw(const struct top_data *data, struct place place)
{
    row_put(place.row, LOOK_HEADING, "     PID  COMMAND          USER      STATE   VIEWS      HELD   OLDEST   FILLING");
    for (size_t i = 0; i < place.n_rows && place.first + i < data->now.n_clients; i++)
        holder_draw(place.row + 1 + (int)i, &data->now.clients[place.first + i], data->now.now_ns);
}

/* ---- all of it ---- */

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

static void lists_draw(const struct top_data *data, const struct top_choice *choice)
{
    size_t n_rows = LINES > HEAD_LINES + 2 ? (size_t)(LINES - HEAD_LINES - 2) : 0; /* below one heading */
    struct place place = {.row = HEAD_LINES, .n_rows = n_rows, .first = choice->first};
    size_t quarter = n_rows / 4 > 1 ? n_rows / 4 : 1;
    size_t n_caches = smaller(data->now.n_caches, quarter), n_holders = smaller(data->now.n_clients, quarter);

    if (choice->panel == PANEL_CACHES)
        caches_draw(data, place);
    if (choice->panel == PANEL_ITEMS)
        items_draw(data, choice, place);
    if (choice->panel == PANEL_HOLDERS)
        holders_draw(data, place);
    if (choice->panel != PANEL_ALL || n_rows < 2)
        return;
    place = (struct place){.row = HEAD_LINES, .n_rows = n_caches};
    caches_draw(data, place);
    place = (struct place){.row = place.row + 1 + (int)n_caches,
                           .n_rows = n_rows - 2 > n_caches + n_holders ? n_rows - 2 - n_caches - n_holders : 0};
    items_draw(data, choice, place);
    place = (struct place){.row = place.row + 1 + (int)place.n_rows, .n_rows = n_holders};
    holders_draw(data, place);
}

void screen_draw(const struct top_data *data, const struct top_choice *choice, const char *prompt)
{
    erase();
    lists_draw(data, choice);
    head_draw(data);
    if (prompt)
        row_print(LINES - 1, LOOK_PLAIN, "Like (* any bytes, ? one; Enter: done, Esc: never mind): %s", prompt);
    else
        row_put(LINES - 1, LOOK_HEADING,
                "q quit  s h i t sort  r reverse  / filter  p in view  e entries  Tab 0-3 lists");
    refresh();
}
