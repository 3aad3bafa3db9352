/*
 * The command `top`: a full-screen view. It is read anew each second, and drawn at each key as well. Reading is
 * top_data.c's, drawing top_screen.c's; here are the loop and the keys.
 *
 * Whatever ends it, the terminal is given back before anything is reported.
 */
#include "top.h"

#include <curses.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "commands.h"
#include "interrupt.h"
#include "print.h"
#include "steady.h"

enum { KEY_ESCAPE = 27, KEY_DELETE = 127, PAGE_ROWS = 10 };

/* What is going on. */
struct watching {
    onecopy *cache;
    uint64_t interval_ns;
    struct top_choice choice;
    struct top_data data;
    char typed[sizeof((struct top_choice *)0)->pattern]; /* of a pattern that is not done yet */
    bool is_typing, is_over;
};

static void sort_choose(struct watching *watching, const char *name)
{
    enum column_scope scope = watching->choice.is_of_entries ? COLUMN_OF_ENTRIES : COLUMN_OF_BLOBS;

    watching->choice.sort = item_column_find(name, strlen(name), scope);
    watching->choice.first = 0;
    top_walk_anew(&watching->data);
}

/* A word without anything that a pattern has is looked for anywhere. */
static void pattern_choose(struct watching *watching)
{
    struct top_choice *choice = &watching->choice;
    const char *typed = watching->typed;

    if (*typed && !strpbrk(typed, "*?[\\"))
        snprintf(choice->pattern, sizeof choice->pattern, "*%.*s*", (int)sizeof choice->pattern - 3, typed);
    else
        snprintf(choice->pattern, sizeof choice->pattern, "%s", typed);
    if (onecopy_pattern_match(choice->pattern, strlen(choice->pattern), "", 0) == ONECOPY_EINVALID)
        choice->pattern[0] = '\0';
    choice->first = 0;
    top_walk_anew(&watching->data);
}

static void key_type(struct watching *watching, int key)
{
    size_t n = strlen(watching->typed);

    if (key == KEY_ENTER || key == '\n' || key == '\r') {
        pattern_choose(watching);
        watching->is_typing = false;
    } else if (key == KEY_ESCAPE) {
        watching->is_typing = false;
    } else if ((key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') && n > 0) {
        watching->typed[n - 1] = '\0';
    } else if (key >= ' ' && key < KEY_DELETE && n + 3 < sizeof watching->typed) {
        watching->typed[n] = (char)key;
        watching->typed[n + 1] = '\0';
    }
}

static size_t rows_of(const struct watching *watching)
{
    switch (watching->choice.panel) {
    case PANEL_CACHES:
        return watching->data.now.n_caches;
    case PANEL_ITEMS:
        return watching->data.items.n_items;
    case PANEL_HOLDERS:
        return watching->data.now.n_clients;
    default:
        return 0;
    }
}

static void rows_move(struct watching *watching, long by)
{
    size_t n_rows = rows_of(watching), first = watching->choice.first;

    if (by < 0)
        first = first > (size_t)-by ? first - (size_t)-by : 0;
    else
        first += (size_t)by;
    watching->choice.first = first < n_rows ? first : n_rows ? n_rows - 1 : 0;
}

/* The keys that change what is listed. */
static void key_choose(struct watching *watching, int key)
{
    struct top_choice *choice = &watching->choice;

    if (key == 's')
        sort_choose(watching, "size");
    else if (key == 'h')
        sort_choose(watching, "hits");
    else if (key == 'i')
        sort_choose(watching, "idle");
    else if (key == 't')
        sort_choose(watching, "ttl");
    else if (key == 'r')
        choice->is_reversed = !choice->is_reversed;
    else if (key == 'p')
        choice->is_pinned = !choice->is_pinned;
    else if (key == 'e')
        choice->is_of_entries = !choice->is_of_entries;
    else
        return;
    choice->first = 0;
    top_walk_anew(&watching->data);
}

static void key_handle(struct watching *watching, int key)
{
    struct top_choice *choice = &watching->choice;

    if (watching->is_typing) {
        key_type(watching, key);
    } else if (key == 'q' || key == 'Q') {
        watching->is_over = true;
    } else if (key == '/') {
        watching->typed[0] = '\0';
        watching->is_typing = true;
    } else if (key == '\t' || (key >= '0' && key < '0' + N_PANELS)) {
        choice->panel = key == '\t' ? (choice->panel + 1) % N_PANELS : (enum top_panel)(key - '0');
        choice->first = 0;
    } else if (key == KEY_DOWN || key == KEY_UP) {
        rows_move(watching, key == KEY_DOWN ? 1 : -1);
    } else if (key == KEY_NPAGE || key == KEY_PPAGE) {
        rows_move(watching, key == KEY_NPAGE ? PAGE_ROWS : -PAGE_ROWS);
    } else {
        key_choose(watching, key);
    }
}

static enum status screen_watch(struct watching *watching)
{
    uint64_t next_ns = clock_now() + watching->interval_ns;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !watching->is_over && !is_interrupted()) {
        int key;

        screen_draw(&watching->data, &watching->choice, watching->is_typing ? watching->typed : NULL);
        key = screen_key(span_between(clock_now(), next_ns));
        if (key != ERR)
            key_handle(watching, key);
        if (clock_now() < next_ns && watching->data.walked_ns != 0)
            continue;
        status = top_read(watching->cache, &watching->choice, &watching->data);
        next_ns = clock_now() + watching->interval_ns;
    }
    return status;
}

static enum status top_watch(struct watching *watching)
{
    onecopy_canceller *canceller;
    enum status status;

    sort_choose(watching, "size");
    /* What is wrong with the environment is found before the screen is taken, and can then be read. */
    status = top_read(watching->cache, &watching->choice, &watching->data);
    if (status == STATUS_OK)
        status = interrupt_catch(&canceller);
    if (status != STATUS_OK)
        return status;
    if (!screen_begin()) {
        report("top: this terminal ($TERM) cannot be drawn on; see 'onecopy status' and 'onecopy stat --watch'");
        return STATUS_FAILURE;
    }
    status = screen_watch(watching);
    screen_end();
    return status;
}

static enum status top_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct watching watching = {.interval_ns = NS_PER_SECOND};
    enum status status = STATUS_OK;
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (argument_duration("--every", arguments->value, &watching.interval_ns) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    if (watching.interval_ns < NS_PER_SECOND / 10 || watching.interval_ns > 3600 * NS_PER_SECOND)
        return report_usage(arguments->command, "top: --every takes 100ms to 1h");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return report_usage(arguments->command, "top: needs a terminal; in a pipe, see 'onecopy status --json'");
    status = environment_open_to_look(arguments, &cache);
    if (status != STATUS_OK)
        return status;
    watching.cache = cache;
    status = top_watch(&watching);
    top_data_free(&watching.data);
    return status;
}

static const struct option top_options[] = {{"every", required_argument, NULL, 'n'}, OPTIONS_COMMON};

const struct command command_top = {
    .name = "top",
    .synopsis = "[--every TIME]",
    .summary = "watch caches, entries and who holds them, full screen",
    .help = "Shows memory, rates, how hard it is to find room, the caches, the biggest or hottest blobs or\n"
            "entries and the processes, those that hold most first; and does so until 'q' is typed.\n"
            "\n"
            "  --every TIME   draw it anew so often; default: 1s\n"
            "\n"
            "Keys:\n"
            "  q            quit\n"
            "  s h i t      sort by size, hits, time since the last access, time left\n"
            "  r            the other way round\n"
            "  /            only those whose key or ref is like a pattern, or has a word in it\n"
            "  p            only those in view of a process\n"
            "  e            entries of named caches, or blobs\n"
            "  Tab, 0 to 3  all lists, caches alone, blobs or entries alone, processes alone\n"
            "  arrows       move in a list that is shown alone\n",
    .options = top_options,
    .run = top_run,
};
