/* The loopback interface, which every machine has: by netlink, and by ioctl on sockets. */
#include "inet.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>

#define ALWAYS (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST | IFF_POINTOPOINT | IFF_NOARP)

static uint32_t inet(const struct sockaddr *address)
{
	return address ? ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) : 0;
}

TEST(list)
{
	struct ifaddrs *all = 0, *i;
	CALL(getifaddrs(&all));
	for (i = all; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") != 0 || !i->ifa_addr) continue;
		/* Others of its addresses are the machine's business. */
		if (i->ifa_addr->sa_family == AF_INET && inet(i->ifa_addr) == INADDR_LOOPBACK) {
			say("lo %x %x %x", i->ifa_flags & ALWAYS, inet(i->ifa_addr), inet(i->ifa_netmask));
		} else if (i->ifa_addr->sa_family == AF_PACKET) {
			struct sockaddr_ll *link = (void *)i->ifa_addr;
			say("lo %x %d %d %d", i->ifa_flags & ALWAYS, link->sll_ifindex, link->sll_hatype, link->sll_halen);
		}
	}
	freeifaddrs(all);
}

TEST(names)
{
	char name[IF_NAMESIZE] = "";
	struct if_nameindex *all = if_nameindex(), *i;
	for (i = all; i && i->if_index; i++)
		if (strcmp(i->if_name, "lo") == 0) say("lo is %u", i->if_index);
	if_freenameindex(all);
	CALL(if_nametoindex("lo"));
	CALL(if_nametoindex("none there"));
	say("1 is '%s'", if_indextoname(1, name) ? name : errname(errno));
	say("9999999 is %s", if_indextoname(9999999, name) ? name : errname(errno));
}

/* What an ioctl says of an interface. */
static void ask(int fd, const char *text, unsigned long request, const char *name)
{
	struct ifreq r = { 0 };
	strcpy(r.ifr_name, name);
	if (ioctl(fd, request, &r)) {
		say("%s of '%s': %s", text, name, errname(errno));
		return;
	}
	switch (request) {
	case SIOCGIFFLAGS: say("%s %x", text, r.ifr_flags & ALWAYS); break;
	case SIOCGIFHWADDR: say("%s %d", text, r.ifr_hwaddr.sa_family); break;
	case SIOCGIFINDEX: say("%s %d", text, r.ifr_ifindex); break;
	case SIOCGIFTXQLEN: say("%s %d", text, r.ifr_qlen >= 0); break;
	case SIOCGIFMAP: say("%s %lu %lu %d", text, r.ifr_map.mem_start, r.ifr_map.mem_end, r.ifr_map.irq); break;
	default: say("%s %d %x", text, r.ifr_addr.sa_family, inet(&r.ifr_addr)); break;
	}
}
#define ASK(fd, request, name) ask(fd, #request, request, name)

TEST(requests)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ASK(fd, SIOCGIFFLAGS, "lo");
	ASK(fd, SIOCGIFADDR, "lo");
	ASK(fd, SIOCGIFDSTADDR, "lo");
	ASK(fd, SIOCGIFNETMASK, "lo");
	ASK(fd, SIOCGIFHWADDR, "lo");
	ASK(fd, SIOCGIFINDEX, "lo");
	ASK(fd, SIOCGIFTXQLEN, "lo");
	ASK(fd, SIOCGIFMAP, "lo");
	ASK(fd, SIOCGIFMAP, "none");
	ASK(fd, SIOCGIFFLAGS, "none");
	ASK(fd, SIOCGIFADDR, "none");
	ASK(fd, SIOCGIFINDEX, "");
	CALL(ioctl(fd, SIOCGIFFLAGS, 0));
	close(fd);
}

TEST(conf)
{
	struct ifreq r[64];
	struct ifconf all = { .ifc_len = 0 }, some = { .ifc_len = sizeof r, .ifc_req = r };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(ioctl(fd, SIOCGIFCONF, &all));
	CALL(ioctl(fd, SIOCGIFCONF, &some));
	VALUE(all.ifc_len == some.ifc_len && all.ifc_len % sizeof *r == 0);
	say("%s %d %x", r[0].ifr_name, r[0].ifr_addr.sa_family, inet(&r[0].ifr_addr));
	some.ifc_len = sizeof *r - 1;
	CALL(ioctl(fd, SIOCGIFCONF, &some));
	VALUE(some.ifc_len);
	close(fd);
}

TEST(unsupported)
{
	struct sockaddr_nl_ { unsigned short family, pad; unsigned pid, groups; } name = { AF_NETLINK, 0, 0, 0 };
	struct { unsigned len; unsigned short type, flags; unsigned seq, pid; unsigned char family[4]; } bad =
		{ sizeof bad, 0x3ff0, 1, 77, 0, { 0 } };
	struct { unsigned len; unsigned short type, flags; unsigned seq, pid; int error; char rest[64]; } answer;
	socklen_t size = sizeof name;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	CALL(socket(AF_NETLINK, SOCK_STREAM, 0));
	CALL(bind(fd, (void *)&name, sizeof name));
	CALL(getsockname(fd, (void *)&name, &size));
	say("family %d, port %d, size %d", name.family, name.pid == (unsigned)getpid(), (int)size);
	CALL(recv(fd, &answer, sizeof answer, MSG_DONTWAIT));
	name.pid = 0;
	CALL(sendto(fd, &bad, sizeof bad, 0, (void *)&name, sizeof name));
	CALL(recv(fd, &answer, sizeof answer, MSG_DONTWAIT));
	say("%d: %s, number %d, port %d", answer.type, errname(-answer.error), answer.seq, answer.pid == (unsigned)getpid());
	close(fd);
}

/* Which interface a socket is bound to. Only root may choose again (socket(7)), so each socket is bound once. */
static void tell_device(int fd)
{
	char name[IF_NAMESIZE] = "nothing";
	socklen_t size = sizeof name;
	CALL(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
	say("'%s', %d bytes", name, (int)size);
}

static void bind_to_device(int type, const void *name, socklen_t size)
{
	int fd = socket(AF_INET, type, 0);
	CALL(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, size));
	tell_device(fd);
	close(fd);
}

TEST(devices)
{
	static const char longer[40] = "lo\0and what is behind the end of a name";
	const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	for (int i = 0; i < 2; i++) {
		bind_to_device(types[i], "lo", 2);
		bind_to_device(types[i], "lo", 3);
		bind_to_device(types[i], longer, sizeof longer);
		bind_to_device(types[i], "lo", 1);
		bind_to_device(types[i], "lo:", 3);
		bind_to_device(types[i], "", 1);
		bind_to_device(types[i], "lo", 0);
		bind_to_device(types[i], "none there", 11);
		bind_to_device(types[i], "a name that is too long", 23);
		bind_to_device(types[i], 0, 3);
		bind_to_device(types[i], "lo", -1);
	}
}

TEST(room_for_a_device)
{
	static const int rooms[] = { -1, 0, 2, IF_NAMESIZE - 1, IF_NAMESIZE, IF_NAMESIZE + 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char name[IF_NAMESIZE + 1];
	for (int bound = 0; bound < 2; bound++) {
		if (bound) CALL(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
		for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
			socklen_t size = rooms[i];
			CALL(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
			say("room for %d: %d", rooms[i], (int)size);
		}
	}
	close(fd);
}

TEST(talking_by_a_device)
{
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(setsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CALL(bind_to(server, 0));
	CALL(listen(server, 1));
	CALL(setsockopt(client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CALL(connect_to(client, port_of(server)));
	int accepted = accept(server, 0, 0);
	tell_device(accepted);
	close(accepted);
	close(client);
	close(server);
	int one = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(setsockopt(one, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CALL(bind_to(one, 0));
	/* The port is taken for who is bound to none. */
	CALL(bind_to(other, port_of(one)));
	struct sockaddr_in to = loopback(port_of(one));
	CALL(sendto(other, "x", 1, 0, (void *)&to, sizeof to));
	char byte;
	CALL(recv(one, &byte, 1, 0));
	close(one);
	close(other);
}

AREA(interface)
	T(list) T(names) T(requests) T(conf) T(unsupported) T(devices) T(room_for_a_device) T(talking_by_a_device)
END
