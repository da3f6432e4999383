/* A network namespace with connections whose ends are both inside: TCP over IPv4, over IPv6, and from IPv4 to an IPv6
 * socket; UDP. Bytes wait in the queues of both ends. */
#include "asked.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>

struct connection {
	const char *name;
	const char *server_address, *client_address;
	int server_port, client_port;
	int listener, server, client;
};

static struct connection connections[] = {
	{ "IPv4", "10.77.0.1", "10.77.0.2", 5501, 5601, -1, -1, -1 },
	{ "IPv6", "fd77::1", "fd77::2", 5502, 5602, -1, -1, -1 },
	{ "mapped", "::ffff:10.77.0.1", "10.77.0.2", 5503, 5603, -1, -1, -1 },
};
static int datagrams;

static socklen_t fill(struct sockaddr_storage *to, const char *address, int port)
{
	struct sockaddr_in6 *six = (void *)to;
	struct sockaddr_in *four = (void *)to;

	memset(to, 0, sizeof(*to));
	if (strchr(address, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		check(inet_pton(AF_INET6, address, &six->sin6_addr) == 1, address);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	check(inet_pton(AF_INET, address, &four->sin_addr) == 1, address);
	return sizeof(*four);
}

static int bound(const char *address, int port, int type)
{
	struct sockaddr_storage at;
	socklen_t length = fill(&at, address, port);
	int fd = socket(at.ss_family, type, 0), one = 1;

	check(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0, "socket");
	check(bind(fd, (void *)&at, length) == 0, address);
	return fd;
}

static void establish(struct connection *c)
{
	const char *address = strncmp(c->server_address, "::ffff:", 7) ? c->server_address : c->server_address + 7;
	struct sockaddr_storage at;
	socklen_t length = fill(&at, address, c->server_port);

	c->listener = bound(c->server_address, c->server_port, SOCK_STREAM);
	check(listen(c->listener, 5) == 0, "listen");
	c->client = bound(c->client_address, c->client_port, SOCK_STREAM);
	check(connect(c->client, (void *)&at, length) == 0, "connect");
	check((c->server = accept(c->listener, NULL, NULL)) >= 0, "accept");
	check(write(c->client, "to the server", 13) == 13 && write(c->server, "to the client", 13) == 13, "write");
}

static void say_address(FILE *out, int (*get)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *six = (void *)&address;
	struct sockaddr_in *four = (void *)&address;
	socklen_t length = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "none";

	get(fd, (void *)&address, &length);
	if (address.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
	else if (address.ss_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
	fprintf(out, " %s/%d", text, ntohs(four->sin_port));
}

static void say_ends(FILE *out, const char *name, const char *what, int fd)
{
	fprintf(out, "%s %s:", name, what);
	say_address(out, (void *)getsockname, fd);
	say_address(out, (void *)getpeername, fd);
	fprintf(out, "\n");
}

/* Reads what comes within two seconds. */
static void say_read(FILE *out, const char *name, const char *what, int fd)
{
	struct timeval limit = { .tv_sec = 2 };
	char text[100];
	ssize_t count;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	count = read(fd, text, sizeof(text));
	fprintf(out, "%s %s: %.*s\n", name, what, count < 0 ? 0 : (int)count, text);
}

static void say_connection(FILE *out, const struct connection *c)
{
	const char *address = strncmp(c->server_address, "::ffff:", 7) ? c->server_address : c->server_address + 7;
	struct sockaddr_storage at = { 0 };
	socklen_t length = sizeof(at);
	int more = socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0), there;

	say_ends(out, c->name, "server", c->server);
	say_ends(out, c->name, "client", c->client);
	say_read(out, c->name, "server had", c->server);
	say_read(out, c->name, "client had", c->client);
	if (write(c->client, "hello", 5) != 5 || write(c->server, "welcome", 7) != 7)
		fprintf(out, "%s: %s\n", c->name, strerror(errno));
	say_read(out, c->name, "server got", c->server);
	say_read(out, c->name, "client got", c->client);
	/* A new connection, to the address at which the listener is now. */
	getpeername(c->client, (void *)&at, &length);
	there = connect(more, (void *)&at, length) == 0;
	fprintf(out, "%s listener: %s\n", c->name, there ? "connected" : strerror(errno));
	close(more);
}

/* Only a target that is prepared has this address. */
static void say_target(FILE *out)
{
	struct sockaddr_storage at;
	socklen_t length = fill(&at, "10.77.0.3", 5800);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	fprintf(out, "in the target: %s\n", bind(fd, (void *)&at, length) == 0 ? "yes" : "no");
	close(fd);
}

static void say(FILE *out)
{
	size_t i;

	for (i = 0; i < sizeof(connections) / sizeof(*connections); i++)
		if (connections[i].client >= 0)
			say_connection(out, connections + i);
	say_target(out);
	say_ends(out, "UDP", "ends", datagrams);
}

int main(void)
{
	struct sockaddr_storage at;
	socklen_t length;

	survive_signals();
	expect_questions();
	check(unshare(CLONE_NEWNET) == 0, "unshare");
	check(system("ip link set lo up && ip address add 10.77.0.1/32 dev lo") == 0, "ip");
	check(system("ip address add 10.77.0.2/32 dev lo") == 0, "ip");
	establish(connections);
	if (system("ip address add fd77::1/128 dev lo nodad && ip address add fd77::2/128 dev lo nodad") == 0) {
		establish(connections + 1);
		establish(connections + 2);
	}
	datagrams = bound("10.77.0.2", 5700, SOCK_DGRAM);
	length = fill(&at, "10.77.0.1", 5701);
	check(connect(datagrams, (void *)&at, length) == 0, "datagrams");
	answer(".", say);
}
