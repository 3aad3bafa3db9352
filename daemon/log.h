/* What the daemon says of itself: one line for each thing that happened, on standard error. */
#ifndef ONECOPYD_LOG_H
#define ONECOPYD_LOG_H

/* As syslog numbers them. */
enum log_level {
    LEVEL_ERROR = 3,   /* something was not done */
    LEVEL_WARNING = 4, /* something will go wrong unless somebody looks after it */
    LEVEL_NOTICE = 5,  /* beginnings, ends and changes */
};

enum log_form {
    LOG_PLAIN,   /* "onecopyd: ...", for people */
    LOG_JOURNAL, /* "<N>...", from which journald takes the priority; it knows name and time */
};

/* Chooses the form: for the journal if standard error is connected to it, as $JOURNAL_STREAM tells. */
enum log_form log_form_of_standard_error(void);
void log_begin(enum log_form form);

/* Writes a line, at once and whole. Any thread. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#endif
