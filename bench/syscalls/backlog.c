/* Loaded into QEMU: a port that is forwarded takes a burst of connections.
 *
 * QEMU's user network listens for one waiting connection at a time (libslirp). Of a client that opens many at once, as wrk does, the host
 * drops most first attempts and repeats them after a second or more, so that it measures few connections where many were asked for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>

int listen(int socket, int backlog)
{
    int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");
    if (!next) {
        errno = ENOSYS;
        return -1;
    }
    return next(socket, backlog < 512 ? 512 : backlog);
}
