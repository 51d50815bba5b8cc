/* Meets one due time after another and does nothing else: how late the machine alone makes a pinger.
   cc -O2 -o floor floor.c; ./floor sleep|hybrid|busy INTERVAL_NS COUNT
   Like an open loop it meets at once what it is late for, and leaves nothing out. In the end it
   prints how late it was, in ns, a line each. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static const long long SECOND = 1000000000, SPIN = 50000;

static long long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * SECOND + at.tv_nsec;
}

static void sleep_until(long long moment) {
    struct timespec at = {moment / SECOND, moment % SECOND};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    /* For so long before it is due it reads the clock; "busy" always. */
    long long lead = !strcmp(argv[1], "sleep") ? 0 : !strcmp(argv[1], "hybrid") ? SPIN : LLONG_MAX;
    long long interval = atoll(argv[2]), count = atoll(argv[3]);
    long long *late = malloc(count * sizeof *late);
    if (!late) return 1;
    /* The kernel gives memory when it is first written to; not while that would make anything late. */
    memset(late, 1, count * sizeof *late);
    prctl(PR_SET_TIMERSLACK, 1);
    long long due = now();
    for (long long i = 0; i < count; i++) {
        due += interval;
        if (due - lead > now()) sleep_until(due - lead);
        long long met;
        do met = now();
        while (met < due);
        late[i] = met - due;
    }
    for (long long i = 0; i < count; i++) printf("%lld\n", late[i]);
}
