/* TCP: a listener, an established connection with both ends inside and bytes in flight, a UDP socket, IPv6. */
#include "program.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(5555) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(5556), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int listener, client, server, datagram, idle, one = 1;

	survive_signals();
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check((listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check(bind(listener, (void *)&address, sizeof(address)) == 0 && listen(listener, 5) == 0, "listen");
	check((client = socket(AF_INET, SOCK_STREAM, 0)) >= 0, "client");
	check(connect(client, (void *)&address, sizeof(address)) == 0, "connect");
	check((server = accept(listener, NULL, NULL)) >= 0, "accept");
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	check(write(client, "not read yet", 12) == 12, "write");
	check((datagram = socket(AF_INET, SOCK_DGRAM, 0)) >= 0, "datagram");
	check(bind(datagram, (void *)&address, sizeof(address)) == 0, "bind");
	if ((idle = socket(AF_INET6, SOCK_STREAM, 0)) >= 0 && bind(idle, (void *)&six, sizeof(six)) == 0)
		listen(idle, 3);
	check(socket(AF_INET, SOCK_STREAM, 0) >= 0, "unbound");
	sleeper();
	ready();
}
