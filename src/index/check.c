/*
 * LMDB trusts its data file. It follows page numbers, offsets and lengths as it finds them, so a file that was cut
 * short or overwritten with other bytes makes it crash (SIGBUS, SIGSEGV, a failed assertion) or run in circles, long
 * after it was opened. This file reads data.mdb beforehand, without LMDB, and proves what LMDB takes for granted.
 *
 * The format: pages 0 and 1 are meta pages, written in turn; the one with the greater transaction number counts. It
 * holds the roots of two B-trees. The free tree maps the number of a transaction to a list of the pages that it freed,
 * count first, then page numbers in descending order. The main tree maps names to records of further trees, the tables,
 * which lie in its leaves like values. A page of a tree begins with a header, followed by an array of offsets in the
 * order of the keys (`lower` is its end) to nodes, which fill the page from `upper` to its end without gaps. A node of
 * a leaf is a key and a value; a long value lies in a run of overflow pages, whose number the node holds instead. A
 * node of a branch is a key and a child that has no keys below it; the key of a branch's first node means nothing.
 *
 * Proven is: what the newer meta page leads to lies within the file. Each page has one use (a bit for each says that it
 * was met, which also ends every walk), and the header and kind that belong there; or it is free. All leaves of a tree
 * have the same depth, nodes tile their pages, keys ascend within pages and across them, and what the records say of
 * pages and entries is what was counted. Values are not looked at.
 *
 * Every state that LMDB itself leaves behind passes. Three look odd. A process killed in the middle of a transaction,
 * with MDB_WRITEMAP, may have half overwritten the older meta page, so nothing is asked of that one but what never
 * changes. The file may end before its last page, if the pages missing are free: LMDB had written nothing to them. With
 * MDB_WRITEMAP it goes on after it, as far as its map.
 *
 * The file is read with pread(): a mapping would turn a read error, or a hole on a full tmpfs, into a signal.
 */
#include "index/check.h"

#include "base/page.h"
#include "base/system.h"
#include "onecopy.h"
#include "shared/layout.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE_HEADER_BYTES = 16,
    NODE_HEADER_BYTES = 8,
    NODE_MAX_BYTES = 2038, /* LMDB moves the value of a longer one to overflow pages, so that two fit in each page */
    KEY_MAX_BYTES = 511,
    ID_BYTES = 8, /* of the number of a page or a transaction */
    N_METAS = 2,
    META_VERSION = 1,
    META_BYTES = 152,
    PREFETCH_BYTES = 128 << 10, /* Linux reads no more at a time */
    GUARD_PAGES = 256,          /* after so many the guard is asked */

    /* LMDB has room for 32. A tree this high, whose branches have two children each, has half a billion leaves. */
    MAX_DEPTH = 30,
    /* One page of each level of the main tree and of a table below it, and one of an overflow run. */
    N_BUFFERS = 2 * MAX_DEPTH + 1,
};
#define META_MAGIC    UINT32_C(0xBEEFC0DE)
#define NO_PAGE       UINT64_MAX /* the root of an empty tree */
#define MAP_MAX_BYTES (MOST_BYTES + MAP_EXTRA_BYTES)

enum page_flags { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04, PAGE_META = 0x08 };
enum node_flags { NODE_OVERFLOW = 0x01, NODE_TABLE = 0x02 };
enum tree_flags { TREE_INTEGER_KEYS = 0x0008, TREE_NO_FOLDER = 0x4000 }; /* MDB_NOSUBDIR, which LMDB ignores here */

struct page_header {
    uint64_t number;
    uint16_t unused;
    uint16_t flags;
    uint16_t lower; /* in an overflow run, lower and upper are one number: that of its pages */
    uint16_t upper;
};

struct node_header {
    uint32_t value_bytes; /* in a branch: the lower two thirds of the child's number; the upper one is in flags */
    uint16_t flags;
    uint16_t key_bytes;
};

struct tree_record {
    uint32_t page_bytes; /* in the free tree's record only, else 0 */
    uint16_t flags;
    uint16_t depth;
    uint64_t n_branches, n_leaves, n_overflows, n_entries;
    uint64_t root;
};

struct meta {
    struct page_header header;
    uint32_t magic, version;
    uint64_t address;
    uint64_t map_bytes;
    struct tree_record free_tree, main_tree;
    uint64_t last_page;
    uint64_t transaction;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "LMDB writes numbers as the machine has them");
static_assert(sizeof(struct page_header) == PAGE_HEADER_BYTES && offsetof(struct page_header, lower) == 12, "format");
static_assert(sizeof(struct node_header) == NODE_HEADER_BYTES, "format");
static_assert(sizeof(struct tree_record) == 48 && offsetof(struct tree_record, root) == 40, "format");
static_assert(sizeof(struct meta) == META_BYTES && offsetof(struct meta, last_page) == 136, "format");

/* One check of one file. */
struct checker {
    int fd;
    uint64_t n_file_pages; /* whole pages that the file has */
    uint64_t n_pages;      /* those that LMDB has ever taken: the last one's number and one */
    uint64_t transaction;  /* the last one committed */
    uint64_t *met;         /* a bit for each of n_pages: something leads to it */
    uint64_t n_taken;      /* pages read so far */
    const struct index_check_guard *guard;
    unsigned char (*buffers)[PAGE_BYTES];
    struct index_check_report *report;
};

/* A tree on the way: what its record says, and what was counted so far. */
struct tree {
    enum tree_kind { TREE_FREE, TREE_MAIN, TREE_TABLE } kind;
    struct tree_record record;
    unsigned first_buffer; /* of the root; each level below has the next */
    uint64_t n_branches, n_leaves, n_overflows, n_entries;
};

/* A page of a tree, in its buffer. */
struct page {
    uint64_t number;
    const unsigned char *bytes;
    bool is_leaf;
    unsigned n_nodes;
    unsigned upper;
};

struct node {
    struct node_header header;
    const unsigned char *key; /* the value follows it */
};

static int tree_check(struct checker *checker, enum tree_kind kind, const struct tree_record *record, uint64_t page,
                      unsigned first_buffer);

/* Every finding is born here. */
static int report(struct checker *checker, int code, uint64_t page, const char *reason)
{
    *checker->report = (struct index_check_report){.page = page, .reason = reason};
    return code;
}

static int damaged(struct checker *checker, uint64_t page, const char *reason)
{
    return report(checker, ONECOPY_ECORRUPT, page, reason);
}

static uint64_t load_id(const unsigned char *bytes)
{
    uint64_t id;

    memcpy(&id, bytes, sizeof id);
    return id;
}

/* Reads the first n_bytes of a page, which may lie behind the end of the file. */
static int page_read(struct checker *checker, uint64_t page, void *buffer, size_t n_bytes)
{
    size_t n_read = 0;

    while (n_read < n_bytes) {
        ssize_t n = pread(checker->fd, (char *)buffer + n_read, n_bytes - n_read, (off_t)(page * PAGE_BYTES + n_read));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return report(checker, ONECOPY_ESYSTEM, page, "pread() failed");
        if (n == 0)
            return damaged(checker, page, "the file ends before a page in use");
        n_read += (size_t)n;
    }
    return 0;
}

/* Notes that something leads to the page; nothing else may have. */
static int page_claim(struct checker *checker, uint64_t page, const char *reason_if_met)
{
    uint64_t bit = UINT64_C(1) << (page % 64);

    if (page < N_METAS || page >= checker->n_pages)
        return damaged(checker, page, "a page number is out of range");
    if (checker->met[page / 64] & bit)
        return damaged(checker, page, reason_if_met);
    checker->met[page / 64] |= bit;
    return 0;
}

/* Claims a page of a tree, or the first of an overflow run, and reads its first n_bytes, of which *header is a copy. */
static int page_take(struct checker *checker, uint64_t page, enum page_flags flags, void *buffer, size_t n_bytes,
                     struct page_header *header)
{
    const struct index_check_guard *guard = checker->guard;
    int result = page_claim(checker, page, "a page is used twice");

    if (result == 0)
        result = page_read(checker, page, buffer, n_bytes);
    if (result < 0)
        return result;
    if (guard && checker->n_taken++ % GUARD_PAGES == 0 && !guard->may_go_on(guard->context))
        return report(checker, ONECOPY_ECANCELLED, page, "the check was stopped");
    memcpy(header, buffer, sizeof *header);
    if (header->number != page)
        return damaged(checker, page, "the page's header has another page's number");
    if (header->flags != flags)
        return damaged(checker, page, "the page is of another kind than its place");
    return 0;
}

static unsigned node_offset(const struct page *page, unsigned index)
{
    uint16_t offset;

    memcpy(&offset, page->bytes + PAGE_HEADER_BYTES + 2 * index, sizeof offset);
    return offset;
}

/* The offset must have been found to lie within the page. */
static struct node node_at(const struct page *page, unsigned index)
{
    const unsigned char *bytes = page->bytes + node_offset(page, index);
    struct node node = {.key = bytes + NODE_HEADER_BYTES};

    memcpy(&node.header, bytes, sizeof node.header);
    return node;
}

/* The node's length in its page, which may be more than the page has. */
static uint64_t node_bytes(const struct page *page, const struct node *node)
{
    uint64_t n_bytes = NODE_HEADER_BYTES + (uint64_t)node->header.key_bytes;

    if (page->is_leaf)
        n_bytes += node->header.flags & NODE_OVERFLOW ? ID_BYTES : node->header.value_bytes;
    return n_bytes + n_bytes % 2;
}

/* What is wrong with the node's header, or NULL. */
static const char *node_fault(const struct tree *tree, const struct page *page, const struct node *node, bool is_first)
{
    unsigned key_bytes = node->header.key_bytes;
    unsigned flags = node->header.flags;

    if (key_bytes > KEY_MAX_BYTES)
        return "a key is too long";
    if (page->is_leaf || !is_first) {
        if (key_bytes == 0)
            return "a key is empty";
        if (tree->kind == TREE_FREE && key_bytes != ID_BYTES)
            return "a key of the free tree is no transaction number";
    }
    if (page->is_leaf && flags != 0 && flags != NODE_OVERFLOW && (flags != NODE_TABLE || tree->kind != TREE_MAIN))
        return "a node's flags are impossible";
    if (page->is_leaf && flags == NODE_TABLE && node->header.value_bytes != sizeof(struct tree_record))
        return "a table's record has a wrong length";
    return NULL;
}

/* Marks the two-byte cells that a node takes in its page; false if one was taken. */
static bool cells_take(uint64_t *cells, unsigned first, unsigned n)
{
    while (n > 0) {
        unsigned bit = first % 64;
        unsigned n_here = n < 64 - bit ? n : 64 - bit;
        uint64_t mask = UINT64_MAX << bit & UINT64_MAX >> (64 - bit - n_here);

        if (cells[first / 64] & mask)
            return false;
        cells[first / 64] |= mask;
        first += n_here;
        n -= n_here;
    }
    return true;
}

/* Proves that the nodes lie in the page side by side, from `upper` to its end. */
static int page_check_nodes(struct checker *checker, const struct tree *tree, const struct page *page)
{
    uint64_t cells[PAGE_BYTES / 2 / 64] = {0};
    uint64_t n_used = 0;

    for (unsigned i = 0; i < page->n_nodes; i++) {
        unsigned offset = node_offset(page, i);
        struct node node;
        uint64_t n_bytes;
        const char *fault;

        if (offset < page->upper || offset > PAGE_BYTES - NODE_HEADER_BYTES || offset % 2 != 0)
            return damaged(checker, page->number, "a node lies outside the nodes' part of its page");
        node = node_at(page, i);
        fault = node_fault(tree, page, &node, i == 0);
        if (fault)
            return damaged(checker, page->number, fault);
        n_bytes = node_bytes(page, &node);
        if (n_bytes > NODE_MAX_BYTES || n_bytes > PAGE_BYTES - offset)
            return damaged(checker, page->number, "a node is too long");
        if (!cells_take(cells, offset / 2, (unsigned)n_bytes / 2))
            return damaged(checker, page->number, "two nodes overlap");
        n_used += n_bytes;
    }
    if (n_used != PAGE_BYTES - page->upper)
        return damaged(checker, page->number, "there are gaps between nodes");
    return 0;
}

/* As LMDB compares: numbers in the free tree, else bytes, and of two that begin alike the shorter is less. */
static int key_compare(const struct tree *tree, const struct node *a, const struct node *b)
{
    size_t a_bytes = a->header.key_bytes, b_bytes = b->header.key_bytes;
    int difference;

    if (tree->kind == TREE_FREE)
        return (load_id(a->key) > load_id(b->key)) - (load_id(a->key) < load_id(b->key));
    difference = memcmp(a->key, b->key, a_bytes < b_bytes ? a_bytes : b_bytes);
    return difference != 0 ? difference : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

/*
 * Proves that the page's keys ascend, and lie between its parent's: not below that of `low`, and below that of `high`.
 * A branch's lie above that of `low`, since a child, with keys of its own, comes before the first of them that counts.
 */
static int page_check_keys(struct checker *checker, const struct tree *tree, const struct page *page,
                           const struct node *low, const struct node *high)
{
    unsigned first = page->is_leaf ? 0 : 1;
    struct node previous = low ? *low : (struct node){0};

    for (unsigned i = first; i < page->n_nodes; i++) {
        struct node node = node_at(page, i);
        int order = previous.key ? key_compare(tree, &previous, &node) : -1;

        if (order > 0 || (order == 0 && (i > first || !page->is_leaf)))
            return damaged(checker, page->number, "keys are out of order");
        previous = node;
    }
    if (high && key_compare(tree, &previous, high) >= 0)
        return damaged(checker, page->number, "keys are out of order with those of the next page");
    return 0;
}

/*
 * Checks a list of free pages: how many, then their numbers. It may have room for more, where LMDB guessed its length
 * too high. at_page: where it begins. n_here: how much of it is at `list`; the rest fills the pages that follow.
 */
static int free_list_check(struct checker *checker, uint64_t at_page, const unsigned char *list, uint64_t n_bytes,
                           uint64_t n_here)
{
    const unsigned char *end = list + n_here;
    uint64_t previous = NO_PAGE;
    uint64_t n;

    if (n_bytes < ID_BYTES || n_bytes % ID_BYTES != 0)
        return damaged(checker, at_page, "a list of free pages has an impossible length");
    n = load_id(list);
    if (n > n_bytes / ID_BYTES - 1)
        return damaged(checker, at_page, "a list of free pages is longer than its space");

    for (list += ID_BYTES; n > 0; n--, list += ID_BYTES) {
        uint64_t id;
        int result = 0;

        if (list == end) {
            result = page_read(checker, ++at_page, checker->buffers[N_BUFFERS - 1], PAGE_BYTES);
            list = checker->buffers[N_BUFFERS - 1];
            end = list + PAGE_BYTES;
        }
        id = load_id(list);
        if (result == 0 && id >= previous)
            return damaged(checker, at_page, "a list of free pages is out of order");
        if (result == 0)
            result = page_claim(checker, id, "a free page is in use, or free twice");
        if (result < 0)
            return result;
        previous = id;
    }
    return 0;
}

/* Claims the run of pages that holds a long value. A run may be longer than its value needs. */
static int overflow_check(struct checker *checker, struct tree *tree, uint64_t first, uint64_t n_bytes)
{
    unsigned char *buffer = checker->buffers[N_BUFFERS - 1];
    struct page_header header;
    uint64_t n_pages;
    int result =
        page_take(checker, first, PAGE_OVERFLOW, buffer, tree->kind == TREE_FREE ? PAGE_BYTES : sizeof header, &header);

    if (result < 0)
        return result;
    n_pages = (uint64_t)header.upper << 16 | header.lower;
    if (n_pages * PAGE_BYTES < PAGE_HEADER_BYTES + n_bytes)
        return damaged(checker, first, "a long value is longer than its pages");
    if (first + n_pages > checker->n_file_pages)
        return damaged(checker, first, "the file ends before a long value does");
    for (uint64_t i = 1; i < n_pages; i++) {
        result = page_claim(checker, first + i, "a page of a long value is used twice");
        if (result < 0)
            return result;
    }
    tree->n_overflows += n_pages;
    if (tree->kind == TREE_FREE)
        return free_list_check(checker, first, buffer + PAGE_HEADER_BYTES, n_bytes, PAGE_BYTES - PAGE_HEADER_BYTES);
    return 0;
}

/* Checks what a leaf's node leads to. */
static int leaf_node_follow(struct checker *checker, struct tree *tree, const struct page *page,
                            const struct node *node, unsigned level)
{
    const unsigned char *value = node->key + node->header.key_bytes;
    struct tree_record record;

    tree->n_entries++;
    if (tree->kind == TREE_FREE && (load_id(node->key) == 0 || load_id(node->key) > checker->transaction))
        return damaged(checker, page->number, "pages were freed by a transaction that never was");
    if (node->header.flags & NODE_OVERFLOW)
        return overflow_check(checker, tree, load_id(value), node->header.value_bytes);
    if (tree->kind == TREE_FREE)
        return free_list_check(checker, page->number, value, node->header.value_bytes, node->header.value_bytes);
    if (node->header.flags & NODE_TABLE) {
        memcpy(&record, value, sizeof record);
        return tree_check(checker, TREE_TABLE, &record, page->number, tree->first_buffer + level + 1);
    }
    return 0;
}

/* Reads a page of a tree and finds its nodes. Level 0 is the root's. */
static int page_open(struct checker *checker, const struct tree *tree, uint64_t number, unsigned level,
                     struct page *page)
{
    unsigned char *buffer = checker->buffers[tree->first_buffer + level];
    bool is_leaf = level + 1 == tree->record.depth;
    struct page_header header;
    int result = page_take(checker, number, is_leaf ? PAGE_LEAF : PAGE_BRANCH, buffer, PAGE_BYTES, &header);

    if (result < 0)
        return result;
    if (header.lower % 2 != 0 || header.lower > header.upper || header.upper > PAGE_BYTES)
        return damaged(checker, number, "the page's header has impossible bounds");
    if (header.lower < PAGE_HEADER_BYTES + (is_leaf ? 2 : 4))
        return damaged(checker, number, "the page has too few nodes");

    *page = (struct page){.number = number, .bytes = buffer, .is_leaf = is_leaf, .upper = header.upper};
    page->n_nodes = (header.lower - (unsigned)PAGE_HEADER_BYTES) / 2;
    return page_check_nodes(checker, tree, page);
}

/* Checks the page and all that it leads to. low, high: the parent's nodes that bound it, or NULL. */
static int page_check(struct checker *checker, struct tree *tree, uint64_t number, unsigned level,
                      const struct node *low, const struct node *high)
{
    struct page page;
    int result = page_open(checker, tree, number, level, &page);

    if (result == 0)
        result = page_check_keys(checker, tree, &page, low, high);
    if (result < 0)
        return result;

    tree->n_branches += !page.is_leaf;
    tree->n_leaves += page.is_leaf;
    for (unsigned i = 0; i < page.n_nodes && result == 0; i++) {
        struct node node = node_at(&page, i);
        bool is_last = i + 1 == page.n_nodes;

        if (page.is_leaf) {
            result = leaf_node_follow(checker, tree, &page, &node, level);
        } else {
            struct node next = is_last ? node : node_at(&page, i + 1);
            uint64_t child = (uint64_t)node.header.flags << 32 | node.header.value_bytes;

            result = page_check(checker, tree, child, level + 1, i == 0 ? low : &node, is_last ? high : &next);
        }
    }
    return result;
}

/* Checks a tree against its record, which lies in `page`. */
static int tree_check(struct checker *checker, enum tree_kind kind, const struct tree_record *record, uint64_t page,
                      unsigned first_buffer)
{
    struct tree tree = {.kind = kind, .record = *record, .first_buffer = first_buffer};
    bool is_free = kind == TREE_FREE;
    int result = 0;

    if ((is_free ? record->flags & ~TREE_NO_FOLDER : record->flags) != (is_free ? TREE_INTEGER_KEYS : 0))
        return damaged(checker, page, "a table has flags that onecopy never sets");
    if (record->page_bytes != (is_free ? PAGE_BYTES : 0))
        return damaged(checker, page, "a table has keys of a fixed length");
    if (record->depth > MAX_DEPTH || (record->depth == 0) != (record->root == NO_PAGE))
        return damaged(checker, page, "the depth of a tree is impossible");

    if (record->depth > 0)
        result = page_check(checker, &tree, record->root, 0, NULL, NULL);
    if (result < 0)
        return result;
    if (tree.n_branches != record->n_branches || tree.n_leaves != record->n_leaves ||
        tree.n_overflows != record->n_overflows)
        return damaged(checker, page, "a tree has another number of pages than its record says");
    if (tree.n_entries != record->n_entries)
        return damaged(checker, page, "a tree has another number of entries than its record says");
    return 0;
}

static int trees_check(struct checker *checker, unsigned newer, const struct meta *meta)
{
    int result = tree_check(checker, TREE_FREE, &meta->free_tree, newer, 0);

    if (result == 0)
        result = tree_check(checker, TREE_MAIN, &meta->main_tree, newer, 0);
    for (uint64_t page = N_METAS; page < checker->n_pages && result == 0; page++) {
        if (!(checker->met[page / 64] >> (page % 64) & 1))
            result = damaged(checker, page, "a page is neither in use nor free");
    }
    return result;
}

/* Proves that this is a file of LMDB's, and that both meta pages have what never changes. */
static int metas_check(struct checker *checker, const struct meta metas[N_METAS])
{
    bool is_known[N_METAS];

    for (unsigned i = 0; i < N_METAS; i++)
        is_known[i] = metas[i].magic == META_MAGIC;
    if (!is_known[0] && !is_known[1])
        return report(checker, ONECOPY_EFORMAT, 0, "this is no LMDB file");
    if ((!is_known[0] || metas[0].version != META_VERSION) && (!is_known[1] || metas[1].version != META_VERSION))
        return report(checker, ONECOPY_EFORMAT, 0, "this is a file of another version of LMDB");
    if (checker->n_file_pages < N_METAS)
        return damaged(checker, 0, "the file is shorter than its meta pages");
    if (!is_known[1] && metas[0].free_tree.page_bytes != PAGE_BYTES)
        return report(checker, ONECOPY_EFORMAT, 0, "this is an LMDB file with pages of another length");

    for (unsigned i = 0; i < N_METAS; i++) {
        if (!is_known[i] || metas[i].version != META_VERSION || metas[i].free_tree.page_bytes != PAGE_BYTES ||
            metas[i].header.number != i || metas[i].header.flags != PAGE_META)
            return damaged(checker, i, "a meta page has changed where it never does");
    }
    return 0;
}

/*
 * Takes over what bounds all else. LMDB finds the newer meta page by comparing the two, and later by its transaction's
 * number, which must agree. Pages that the file lacks must be free: their lists limit their number, and with it the
 * memory for `met`.
 */
static int bounds_check(struct checker *checker, unsigned newer, const struct meta *meta)
{
    if (meta->transaction % N_METAS != newer || meta->transaction > UINT64_MAX / 2)
        return damaged(checker, newer, "the transaction's number is impossible");
    if (meta->map_bytes > MAP_MAX_BYTES)
        return damaged(checker, newer, "the map is impossibly large");
    if (meta->last_page < N_METAS - 1 || meta->last_page >= meta->map_bytes / PAGE_BYTES ||
        meta->last_page / (PAGE_BYTES / ID_BYTES + 1) >= checker->n_file_pages)
        return damaged(checker, newer, "the last page's number is impossible");

    checker->n_pages = meta->last_page + 1;
    checker->transaction = meta->transaction;
    return 0;
}

/*
 * Asks a disk for the pages in the order in which they lie, which takes a fraction of the time that the walk would, in
 * the order of their keys. On a tmpfs nothing happens. What is allocated is the limit: a hole has no end.
 */
static void file_prefetch(struct checker *checker, uint64_t allocated_bytes)
{
    uint64_t n_bytes = checker->n_pages * PAGE_BYTES;

    if (n_bytes > allocated_bytes)
        n_bytes = allocated_bytes;
    for (uint64_t offset = 0; offset < n_bytes; offset += PREFETCH_BYTES)
        (void)posix_fadvise(checker->fd, (off_t)offset, PREFETCH_BYTES, POSIX_FADV_WILLNEED);
}

int index_check(int data_fd, struct index_check_report *found)
{
    return index_check_guarded(data_fd, NULL, found);
}

int index_check_guarded(int data_fd, const struct index_check_guard *guard, struct index_check_report *found)
{
    struct checker checker = {.fd = data_fd, .guard = guard, .report = found};
    struct meta metas[N_METAS] = {{.magic = 0}};
    CLEANUP_FREE void *met = NULL;
    CLEANUP_FREE void *buffers = NULL;
    struct stat status;
    unsigned newer;
    int result = 0;

    if (system_calls.fstat(data_fd, &status) < 0)
        return report(&checker, ONECOPY_ESYSTEM, 0, "fstat() failed");
    if (!S_ISREG(status.st_mode))
        return report(&checker, ONECOPY_EFORMAT, 0, "this is no regular file");
    if (status.st_size == 0)
        return 0;

    checker.n_file_pages = (uint64_t)status.st_size / PAGE_BYTES;
    for (unsigned i = 0; i < N_METAS && result == 0; i++) {
        off_t n_bytes = status.st_size - (off_t)(i * PAGE_BYTES);

        if (n_bytes > 0)
            result = page_read(&checker, i, &metas[i], (size_t)(n_bytes < META_BYTES ? n_bytes : META_BYTES));
    }
    if (result == 0)
        result = metas_check(&checker, metas);
    newer = metas[0].transaction < metas[1].transaction;
    if (result == 0)
        result = bounds_check(&checker, newer, &metas[newer]);
    if (result < 0)
        return result;

    met = system_calls.calloc(checker.n_pages / 64 + 1, sizeof *checker.met);
    buffers = system_calls.calloc(N_BUFFERS, PAGE_BYTES);
    if (!met || !buffers)
        return report(&checker, ONECOPY_ENOMEMORY, 0, "no memory for the check");
    file_prefetch(&checker, (uint64_t)status.st_blocks * 512);
    checker.met = met;
    checker.buffers = buffers;
    return trees_check(&checker, newer, &metas[newer]);
}
