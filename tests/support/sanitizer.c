/*
 * What TSan is not to report. LMDB is not compiled with it: TSan sees the copies that LMDB makes, by the C library's
 * memcpy, and its mutex, but not the atomics by which its readers and its writer agree on who may use a page. Where the
 * library itself reads such a page, the other side of the race may have been forgotten by then: so it goes by name.
 */
#ifdef __SANITIZE_THREAD__

const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:liblmdb.so\n"
           "race:small_hold\n"
           "race:index_blobs_visit\n"
           "race:index_blob_get\n";
}

#endif
