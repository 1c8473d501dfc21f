/* The first and only program of the Linux guest beside Erlang: it does what Linux leaves to user space, and becomes the emulator, or
 * another program that is to be measured.
 *
 * Linked with stock musl, statically. It loads the modules listed in /modules.list, gives the network card the address that the
 * image gets by DHCP from QEMU's user network (`bench net` makes a network with the same addresses), and executes the arguments and environment that the kernel command line chose:
 * start=NAME takes them from /start/NAME.argv and /start/environ, strings that end in NUL. The first argument is the program's name in
 * the root folder. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 64

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void mounted(const char *type, const char *where)
{
    if (mount(type, where, type, 0, 0) != 0) die(where);
}

/* Files of one small read. */
static char *contents(const char *path, size_t *size)
{
    static char pool[16384];
    static size_t used;
    int fd = open(path, O_RDONLY);
    if (fd < 0) die(path);
    char *start = pool + used;
    ssize_t got = read(fd, start, sizeof pool - used - 1);
    if (got < 0) die(path);
    close(fd);
    start[got] = 0;
    used += (size_t)got + 1;
    *size = (size_t)got;
    return start;
}

static char **strings(const char *path)
{
    static char *pool[2 * MOST];
    static size_t used;
    size_t size;
    char *at = contents(path, &size), *end = at + size;
    char **list = pool + used;
    for (; at < end; at += strlen(at) + 1) {
        if (used + 2 > 2 * MOST) die("too many strings");
        pool[used++] = at;
    }
    pool[used++] = 0;
    return list;
}

static void load_modules(void)
{
    size_t size;
    char *list = contents("/modules.list", &size);
    for (char *name = strtok(list, "\n"); name; name = strtok(0, "\n")) {
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) die(name);
        close(fd);
    }
}

static struct sockaddr *address(struct sockaddr *where, const char *text)
{
    struct sockaddr_in *in = (struct sockaddr_in *)where;
    memset(in, 0, sizeof *in);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = inet_addr(text);
    return where;
}

static void up(int socket, const char *name)
{
    struct ifreq request = {0};
    strcpy(request.ifr_name, name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(socket, SIOCSIFFLAGS, &request) != 0) die(name);
}

static void configure_network(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    strcpy(request.ifr_name, "eth0");
    address(&request.ifr_addr, "10.0.2.15");
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) die("address of eth0");
    address(&request.ifr_netmask, "255.255.255.0");
    if (ioctl(fd, SIOCSIFNETMASK, &request) != 0) die("netmask of eth0");
    up(fd, "lo");
    up(fd, "eth0");
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    address(&route.rt_dst, "0.0.0.0");
    address(&route.rt_genmask, "0.0.0.0");
    address(&route.rt_gateway, "10.0.2.2");
    if (ioctl(fd, SIOCADDRT, &route) != 0) die("default route");
    close(fd);
}

int main(void)
{
    mounted("devtmpfs", "/dev");
    int console = open("/dev/console", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(console, fd);
    if (console > 2) close(console);
    mounted("proc", "/proc");
    mounted("sysfs", "/sys");
    mounted("tmpfs", "/tmp");
    /* With a dot, as the image's own name: without one OTP looks it up at boot by an external program. */
    static const char name[] = "beam.localdomain";
    if (sethostname(name, sizeof name - 1) != 0) die("host name");
    /* As many descriptors as the image allows; a Linux on which nobody has said so allows a first program fewer. */
    static const struct rlimit descriptors = {1 << 16, 1 << 16};
    if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0) die("descriptors");
    load_modules();
    configure_network();
    /* The kernel hands settings that it does not know to the first program's environment. */
    const char *start = getenv("start");
    char path[128], program[128];
    if (!start) die("start=");
    snprintf(path, sizeof path, "/start/%s.argv", start);
    char **arguments = strings(path);
    if (!arguments[0]) die(path);
    snprintf(program, sizeof program, "/%s", arguments[0]);
    execve(program, arguments, strings("/start/environ"));
    die(program);
}
