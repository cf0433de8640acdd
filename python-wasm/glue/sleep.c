/* Sleeping that an interrupt of the host ends as a signal would.
 *
 * The C library's own clock_nanosleep says ENOTSUP whatever went wrong; Python then raises OSError in
 * place of looking at its signals.
 */
#include <errno.h>
#include <time.h>
#include <wasi/api.h>

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= 1000000000)
        return EINVAL;
    __wasi_timestamp_t most = ~(__wasi_timestamp_t)0, seconds = time->tv_sec;
    __wasi_subscription_t subscription = {
        .u.tag = __WASI_EVENTTYPE_CLOCK,
        .u.u.clock = {
            .id = clock == CLOCK_REALTIME ? __WASI_CLOCKID_REALTIME : __WASI_CLOCKID_MONOTONIC,
            .timeout = seconds > most / 1000000000 - 1 ? most : seconds * 1000000000 + time->tv_nsec,
            .flags = flags & TIMER_ABSTIME ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0,
        },
    };
    __wasi_event_t event;
    __wasi_size_t events;
    __wasi_errno_t error = __wasi_poll_oneoff(&subscription, &event, 1, &events);
    return error ? error : event.error; /* WASI's numbers are those of errno */
}
