/* What a host must not trust, made to change under its feet: the wall clock, the address of a name, and that a thread
 * goes on.
 *
 * BOLT_CLOCK: a file with the seconds that the wall clock is off by.
 * BOLT_TURNING: addresses that turning.example has, one after the other.
 * BOLT_STUCK: a file; while it exists, workers never return from waiting for their sockets.
 * BOLT_MUTE: the end of names that nobody ever resolves. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, time);
    const char *path = clock == CLOCK_REALTIME ? getenv("BOLT_CLOCK") : NULL;
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        char text[32] = {0};
        if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atoll(text);
        close(file);
    }
    return outcome;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    static atomic_int asked;
    if (!real) real = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *addresses = getenv("BOLT_TURNING");
    char first[64] = {0}, second[64] = {0};
    if (name && addresses && !strcmp(name, "turning.example") &&
        sscanf(addresses, "%63s %63s", first, second) == 2)
        name = atomic_fetch_add(&asked, 1) % 2 ? second : first;
    const char *mute = getenv("BOLT_MUTE");
    size_t length = name ? strlen(name) : 0, end = mute ? strlen(mute) : 0;
    while (mute && end <= length && !strcmp(name + length - end, mute)) pause();
    return real(name, service, hints, found);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    static int (*real)(int, struct epoll_event *, int, int);
    if (!real) real = dlsym(RTLD_NEXT, "epoll_wait");
    const char *stuck = getenv("BOLT_STUCK");
    char name[16] = {0};
    prctl(PR_GET_NAME, name);
    int found = real(epoll, events, most, timeout);
    while (stuck && !strncmp(name, "worker", 6) && !access(stuck, F_OK)) sleep(1);
    return found;
}
