/* The plainest echo loop that moves datagrams in batches: the measure of what the kernel allows.
   cc -O2 -o echo echo.c; ./echo PORT
   With -DDUTIES it asks the kernel for what this server asks it for: receive stamps, the count of drops, the
   address asked and the TTL of each datagram; and it answers from the address asked.
   With -DTRAINS trains arrive whole (UDP_GRO) and are echoed whole (UDP_SEGMENT). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifdef TRAINS
enum { BATCH = 64, LONGEST = 65536 };
#else
enum { BATCH = 64, LONGEST = 2048 };
#endif

int main(int argc, char **argv) {
    static char buffers[BATCH][LONGEST];
    static struct sockaddr_in names[BATCH];
    static struct iovec vectors[BATCH];
    static struct mmsghdr messages[BATCH];
#if defined DUTIES || defined TRAINS
    static char control[BATCH][192] __attribute__((aligned(8)));
    int on = 1;
#endif
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1]))};
    int room = 4 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
#ifdef DUTIES
    setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
#endif
#ifdef TRAINS
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
#endif
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
    puts("listens");
    fflush(stdout);
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){buffers[i], LONGEST};
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
#if defined DUTIES || defined TRAINS
            messages[i].msg_hdr.msg_control = control[i];
            messages[i].msg_hdr.msg_controllen = sizeof control[i];
#endif
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < count; i++) {
            vectors[i].iov_len = messages[i].msg_len;
#ifdef DUTIES
            struct msghdr *header = &messages[i].msg_hdr;
            struct in_pktinfo asked = {0};
            for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
                if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR)
                    asked.ipi_spec_dst = ((struct sockaddr_in *)CMSG_DATA(c))->sin_addr;
            header->msg_controllen = CMSG_SPACE(sizeof asked);
            struct cmsghdr *from = CMSG_FIRSTHDR(header);
            *from = (struct cmsghdr){CMSG_LEN(sizeof asked), IPPROTO_IP, IP_PKTINFO};
            memcpy(CMSG_DATA(from), &asked, sizeof asked);
#endif
#ifdef TRAINS
            struct msghdr *header = &messages[i].msg_hdr;
            int length = 0;
            for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
                if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
                    memcpy(&length, CMSG_DATA(c), sizeof length);
            unsigned short segment = length;
            header->msg_controllen = length ? CMSG_SPACE(sizeof segment) : 0;
            if (length) {
                struct cmsghdr *train = CMSG_FIRSTHDR(header);
                *train = (struct cmsghdr){CMSG_LEN(sizeof segment), IPPROTO_UDP, UDP_SEGMENT};
                memcpy(CMSG_DATA(train), &segment, sizeof segment);
            }
#endif
        }
        for (int sent = 0; sent < count;) {
            int n = sendmmsg(fd, messages + sent, count - sent, 0);
            sent += n > 0 ? n : 1;
        }
    }
}
