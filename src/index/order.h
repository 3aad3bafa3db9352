/* The order of keys in all tables. */
#ifndef ONECOPY_INDEX_ORDER_H
#define ONECOPY_INDEX_ORDER_H

#include <lmdb.h>

/* LMDB's own order, in less time, for mdb_set_compare(). */
int key_compare(const MDB_val *a, const MDB_val *b);

#endif
