/*
 * tool_udp_echo.c - a kernel UDP peer: sends every datagram back to where it came from.
 *
 *   tool_udp_echo PORT        on every address, IPv4 and IPv6; says "ready", ends on a signal
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char datagram[65536];
	struct sockaddr_in6 local = {.sin6_family = AF_INET6};
	int zero = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: tool_udp_echo PORT\n");
		return 2;
	}
	local.sin6_port = htons((uint16_t)atoi(argv[1]));
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0) {
		perror("tool_udp_echo");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_in6 peer;
		socklen_t peer_len = sizeof(peer);
		ssize_t n = recvfrom(fd, datagram, sizeof(datagram), 0,
				     (struct sockaddr *)&peer, &peer_len);
		if (n >= 0)
			sendto(fd, datagram, (size_t)n, 0, (struct sockaddr *)&peer,
			       peer_len);
	}
}
