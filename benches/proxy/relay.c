/* The least relay that moves datagrams in batches between one client and one server: the measure of what
   the kernel allows. cc -O2 -o relay relay.c; ./relay PORT SERVER-PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BATCH = 64, LONGEST = 2048 };

static char buffers[BATCH][LONGEST];
static struct sockaddr_in names[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static int open_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    return fd;
}

/* Moves one batch; `to` is where it goes, or NULL on a connected socket. */
static void move(int in, int out, struct sockaddr_in *from, struct sockaddr_in *to) {
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){buffers[i], LONGEST};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(in, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) return;
    if (from) *from = names[count - 1];
    for (int i = 0; i < count; i++) {
        vectors[i].iov_len = messages[i].msg_len;
        messages[i].msg_hdr.msg_name = to;
        messages[i].msg_hdr.msg_namelen = to ? sizeof *to : 0;
    }
    for (int sent = 0; sent < count;) {
        int n = sendmmsg(out, messages + sent, count - sent, 0);
        sent += n > 0 ? n : 1;
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    here.sin_addr.s_addr = server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = open_socket(), upstream = open_socket(), poll = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0) return 1;
    if (connect(upstream, (struct sockaddr *)&server, sizeof server) < 0) return 1;
    struct epoll_event events[2] = {{.events = EPOLLIN, .data.fd = listener}, {.events = EPOLLIN, .data.fd = upstream}};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &events[0]);
    epoll_ctl(poll, EPOLL_CTL_ADD, upstream, &events[1]);
    puts("listens");
    fflush(stdout);
    struct sockaddr_in client = {0};
    for (;;) {
        struct epoll_event ready[2];
        int count = epoll_wait(poll, ready, 2, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == listener) move(listener, upstream, &client, NULL);
            else move(upstream, listener, NULL, &client);
        }
    }
}
