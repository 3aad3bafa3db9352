/*
 * Every failure has two faces: a code, which the program acts on and which travels up as the return value, and a
 * sentence, which a person acts on. The sentence is written once, at the place that knows the operand (the path, the
 * size asked, the limit), into a buffer of the thread (it is about a call, not about an environment); callers only pass
 * the code on. A later failure replaces it, also one inside of a call that gets over it and succeeds; so it is to be
 * read before the next call.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

const char *onecopy_last_error(void)
{
    return message;
}

int error_set(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return code;
}

/* The code that fits an errno value. */
static int error_code_of(int error_number)
{
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return ONECOPY_ENOSPACE;
    case ENOMEM:
        return ONECOPY_ENOMEMORY;
    case EACCES:
    case EPERM:
        return ONECOPY_EPERMISSION;
    case EROFS:
        return ONECOPY_EREADONLY;
    case ENOENT:
        return ONECOPY_ENOTFOUND;
    default:
        return ONECOPY_ESYSTEM;
    }
}

int error_system(const char *format, ...)
{
    int saved = errno;
    char reason[128];
    size_t length;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    length = strlen(message);
    snprintf(message + length, sizeof message - length, ": %s", strerror_r(saved, reason, sizeof reason));
    errno = saved;
    return error_code_of(saved);
}

const char *onecopy_strerror(int code)
{
    switch ((enum onecopy_error)code) {
    case ONECOPY_OK:
        return "success";
    case ONECOPY_EINVALID:
        return "invalid argument";
    case ONECOPY_ENOTFOUND:
        return "not found";
    case ONECOPY_ETOOBIG:
        return "larger than the environment's limit";
    case ONECOPY_EFULL:
        return "full: everything stored is in use";
    case ONECOPY_ENOSPACE:
        return "no space left on the file system";
    case ONECOPY_ENOMEMORY:
        return "out of memory";
    case ONECOPY_ESYSTEM:
        return "system call failed";
    case ONECOPY_EPERMISSION:
        return "permission denied";
    case ONECOPY_EUNTRUSTED:
        return "refused: cannot be trusted";
    case ONECOPY_EFORMAT:
        return "not an environment of this version";
    case ONECOPY_ECORRUPT:
        return "damaged";
    case ONECOPY_ESTALE:
        return "environment was removed or replaced";
    case ONECOPY_ECLIENTS:
        return "too many clients";
    case ONECOPY_EPINS:
        return "too many live views";
    case ONECOPY_EREADONLY:
        return "read-only";
    case ONECOPY_EBUSY:
        return "busy";
    case ONECOPY_EEXISTS:
        return "there is one already";
    case ONECOPY_EDEADLOCK:
        return "would wait for itself";
    case ONECOPY_ETIMEOUT:
        return "the time to wait is over";
    case ONECOPY_ECANCELLED:
        return "cancelled";
    }
    return "unknown error code";
}
