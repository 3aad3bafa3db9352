/*
 * Short names for C11's atomics, by ordering. "Exact" means sequentially consistent: for handshakes in which each side
 * stores one word and then reads another that the other side stores. There are three: a reader's pin and a removal
 * (shared/pins.c, and its copies at a fork), a put that extends a blob and its eviction (slot_retire_idle()), a waiter
 * and a setter (shared/waiting.c). The generation of a slot takes part in the first two, and is stored exactly
 * everywhere. A fourth one, between the last view and the end of its environment, has a barrier of its own:
 * environment_end().
 *
 * The ones that read and write at once give what was there before, but for "replace", which tells whether it did: only
 * if the word was as expected, and else *expected is what was there.
 */
#ifndef ONECOPY_BASE_ATOMIC_H
#define ONECOPY_BASE_ATOMIC_H

#include <stdatomic.h>

#define load_relaxed(address)            atomic_load_explicit((address), memory_order_relaxed)
#define load_acquire(address)            atomic_load_explicit((address), memory_order_acquire)
#define load_exact(address)              atomic_load_explicit((address), memory_order_seq_cst)
#define store_relaxed(address, value)    atomic_store_explicit((address), (value), memory_order_relaxed)
#define store_release(address, value)    atomic_store_explicit((address), (value), memory_order_release)
#define store_exact(address, value)      atomic_store_explicit((address), (value), memory_order_seq_cst)
#define add_relaxed(address, value)      atomic_fetch_add_explicit((address), (value), memory_order_relaxed)
#define subtract_relaxed(address, value) atomic_fetch_sub_explicit((address), (value), memory_order_relaxed)
#define subtract_release(address, value) atomic_fetch_sub_explicit((address), (value), memory_order_release)
#define add_exact(address, value)        atomic_fetch_add_explicit((address), (value), memory_order_seq_cst)
#define exchange_acquire(address, value) atomic_exchange_explicit((address), (value), memory_order_acquire)
#define replace_acquire(address, expected, value)                                                                      \
    atomic_compare_exchange_strong_explicit((address), (expected), (value), memory_order_acquire, memory_order_relaxed)
#define replace_exact(address, expected, value)                                                                        \
    atomic_compare_exchange_strong_explicit((address), (expected), (value), memory_order_seq_cst, memory_order_seq_cst)

#endif
