/*
 * Short names for C11's atomics, by ordering. "Exact" means sequentially consistent: used only by the handshake of pins
 * and removal (shared/pins.c), where each side stores one word and then reads the other's.
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

#endif
