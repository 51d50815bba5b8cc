/* The least server that injects what plain `serve` does: a reply leaves after 0.1 to 500 ms, or one time
   in ten not at all, counted from the kernel's stamp of what came. It is the datagram itself; its bytes
   16 to 24 say for how many ns it was held. Its only clock is the time of day, which nobody sets meanwhile.
   cc -O2 -o hold hold.c; ./hold PORT */
#define _GNU_SOURCE
#include <endian.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

/* A slot is 2^13 ns wide, so that their round is a little longer than the longest hold. */
enum { BATCH = 64, LONGEST = 96, HELD = 1 << 20, WIDTH_BITS = 13, SLOTS = 1 << 16, HELD_AT = 16 };
/* To sleep for less takes longer than that. */
enum { NAP = 10 * 1000, SECOND = 1000 * 1000 * 1000 };
enum { SHORTEST_HOLD = 100 * 1000, LONGEST_HOLD = 500 * 1000 * 1000 };
static const uint64_t NEVER = UINT64_MAX;

/* Where a datagram is received, waits and is sent from; two lines of the processor's cache. */
struct place {
    uint64_t due;
    uint32_t next, length;
    struct sockaddr_in name;
    char bytes[LONGEST];
} __attribute__((aligned(64)));

/* Room for one stamp. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct timespec))];
};

struct batch {
    uint32_t at[BATCH];
    struct iovec vectors[BATCH];
    union control controls[BATCH];
    struct mmsghdr messages[BATCH];
};

/* The first place is none: zero ends a list. */
static struct place places[HELD];
static uint32_t spare[HELD], spares;
/* Of each slot the first of its list, which has no order; a bit for each slot that has any. */
static uint32_t first[SLOTS];
static uint64_t occupied[SLOTS / 64];
/* Nothing is due before this tick, or a whole round after it. */
static uint64_t turned;
static struct batch in, out;
static uint64_t dropped, refused, unsent;
static int fd;

static uint64_t nanos_of(struct timespec time) {
    return (uint64_t)time.tv_sec * SECOND + time.tv_nsec;
}

static uint64_t nanos(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return nanos_of(time);
}

static uint64_t any_number(void) {
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static void set(struct batch *batch, int i, uint32_t at, uint32_t length) {
    batch->at[i] = at;
    batch->vectors[i] = (struct iovec){places[at].bytes, length};
    batch->messages[i].msg_hdr = (struct msghdr){.msg_name = &places[at].name,
        .msg_namelen = sizeof places[at].name, .msg_iov = &batch->vectors[i], .msg_iovlen = 1};
}

static void offer(int i, uint32_t at) {
    set(&in, i, at, LONGEST);
    in.messages[i].msg_hdr.msg_control = &in.controls[i];
    in.messages[i].msg_hdr.msg_controllen = sizeof in.controls[i];
}

/* When a datagram came that was just received. */
static uint64_t came(int i) {
    struct cmsghdr *header = CMSG_FIRSTHDR(&in.messages[i].msg_hdr);
    struct timespec time;
    memcpy(&time, CMSG_DATA(header), sizeof time);
    return nanos_of(time);
}

/* The first tick in which something is due. */
static uint64_t next_tick(void) {
    for (uint64_t tick = turned; tick < turned + SLOTS; tick = (tick | 63) + 1) {
        uint64_t rest = occupied[tick % SLOTS / 64] >> tick % 64;
        if (rest) return tick + __builtin_ctzll(rest);
    }
    return NEVER;
}

static uint64_t next_due(void) {
    uint64_t tick = next_tick(), due = NEVER;
    if (tick != NEVER)
        for (uint32_t at = first[tick % SLOTS]; at; at = places[at].next)
            if (places[at].due < due) due = places[at].due;
    return due;
}

static void post(int count) {
    for (int sent = 0; sent < count;) {
        int n = sendmmsg(fd, out.messages + sent, count - sent, 0);
        if (n <= 0) unsent++;
        sent += n > 0 ? n : 1;
    }
    for (int i = 0; i < count; i++) spare[spares++] = out.at[i];
}

/* Sends what is due by now, and turns the wheel so far. */
static void release(uint64_t now) {
    int count = 0;
    for (uint64_t tick; (tick = next_tick()) <= now >> WIDTH_BITS; turned = tick + 1) {
        uint32_t at = first[tick % SLOTS], left = 0;
        for (uint32_t next; at; at = next) {
            next = places[at].next;
            if (places[at].due > now) {
                places[at].next = left;
                left = at;
                continue;
            }
            set(&out, count++, at, places[at].length);
            if (count == BATCH) {
                post(count);
                count = 0;
            }
        }
        first[tick % SLOTS] = left;
        if (left) break;
        occupied[tick % SLOTS / 64] &= ~(1ull << tick % 64);
    }
    turned = now >> WIDTH_BITS;
    post(count);
}

/* What becomes of a datagram that was just received; the next one is received elsewhere, or over it. */
static void handle(int i) {
    uint32_t at = in.at[i];
    if (any_number() % 10 == 0) {
        dropped++;
    } else if (!spares) {
        refused++;
    } else {
        uint64_t hold = SHORTEST_HOLD + any_number() % (LONGEST_HOLD - SHORTEST_HOLD), told = htobe64(hold);
        struct place *place = &places[at];
        memcpy(place->bytes + HELD_AT, &told, sizeof told);
        place->length = in.messages[i].msg_len;
        place->due = came(i) + hold;
        uint64_t tick = place->due >> WIDTH_BITS, slot = (tick < turned ? turned : tick) % SLOTS;
        place->next = first[slot];
        first[slot] = at;
        occupied[slot / 64] |= 1ull << slot % 64;
        at = spare[--spares];
    }
    offer(i, at);
}

/* The signal comes in only while the server sleeps, so that it interrupts nothing. */
static void end(int signal) {
    uint32_t told[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof told;
    getsockopt(fd, SOL_SOCKET, SO_MEMINFO, told, &length);
    printf("%lu dropped (injected), %lu refused by a limit, %u lost in a full socket buffer, "
           "%lu could not be sent\n", dropped, refused, told[SK_MEMINFO_DROPS], unsent);
    exit(signal != SIGTERM);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int room = 4 << 20, yes = 1;
    sigset_t none, ending;
    sigemptyset(&none);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    signal(SIGTERM, end);
    prctl(PR_SET_TIMERSLACK, 1);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
    for (uint32_t at = HELD - 1; at > BATCH; at--) spare[spares++] = at;
    for (int i = 0; i < BATCH; i++) offer(i, i + 1);
    puts("listens");
    fflush(stdout);
    for (int readable = 1;;) {
        int count = readable ? recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL) : 0;
        uint64_t now = nanos();
        /* First, for what is held anew must be due in less than a round. */
        release(now);
        for (int i = 0; i < count; i++) handle(i);
        uint64_t due = next_due();
        now = nanos();
        readable = 1;
        if (count == BATCH || due < now + NAP) continue;
        struct timespec left = {(due - now) / SECOND, (due - now) % SECOND};
        struct pollfd watched = {fd, POLLIN, 0};
        readable = ppoll(&watched, 1, due == NEVER ? NULL : &left, &none) > 0;
    }
}
