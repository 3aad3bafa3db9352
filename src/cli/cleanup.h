/* Cleanup attributes: what a variable holds is given back when its scope ends. */
#ifndef ONECOPY_CLI_CLEANUP_H
#define ONECOPY_CLI_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <onecopy.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void cleanup_cache(onecopy **cache)
{
    *cache = onecopy_close(*cache);
}

static inline void cleanup_iterator(onecopy_iterator **iterator)
{
    *iterator = onecopy_iterator_free(*iterator);
}

static inline void cleanup_walker(onecopy_walker **walker)
{
    *walker = onecopy_walker_free(*walker);
}

static inline void cleanup_follower(onecopy_follower **follower)
{
    *follower = onecopy_follower_free(*follower);
}

static inline void cleanup_entry(struct onecopy_entry *entry)
{
    onecopy_release(&entry->view);
}

#define CLEANUP_FREE     __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE    __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FILE     __attribute__((cleanup(cleanup_file)))
#define CLEANUP_CACHE    __attribute__((cleanup(cleanup_cache)))
#define CLEANUP_VIEW     __attribute__((cleanup(onecopy_release)))
#define CLEANUP_ENTRY    __attribute__((cleanup(cleanup_entry)))
#define CLEANUP_ITERATOR __attribute__((cleanup(cleanup_iterator)))
#define CLEANUP_WALKER   __attribute__((cleanup(cleanup_walker)))
#define CLEANUP_FOLLOWER __attribute__((cleanup(cleanup_follower)))

#endif
