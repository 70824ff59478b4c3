/*
 * config.c - reading the configuration file and the command line.
 */
#include "daemon/config.h"

#include "daemon/file.h"
#include "proto/sock.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_DEFAULT    256
#define CLIENTS_MAX        4096
#define ENDPOINTS_DEFAULT  131072 /* 50,000 hosts with a UDP endpoint each, and room */
#define MEMORY_DEFAULT_MIB 2048

void config_defaults(struct config *config)
{
	*config = (struct config){
	    .log_level = LOG_LEVEL_INFO,
	    .max_clients = CLIENTS_DEFAULT,
	    .max_endpoints = ENDPOINTS_DEFAULT,
	    .max_memory_mib = MEMORY_DEFAULT_MIB,
	    .seccomp = true,
	};
	snprintf(config->socket, sizeof(config->socket), "%s", ECP_SOCK_PATH);
}

/* ---- values, from wherever they come ---- */

static int set_socket(struct config *config, const char *path, struct ecp_error *err)
{
	if (!*path || strlen(path) >= sizeof(config->socket))
		return ecp_error_set(err, -EINVAL, "socket: a path of 1 to %zu bytes",
				     sizeof(config->socket) - 1);
	snprintf(config->socket, sizeof(config->socket), "%s", path);
	return 0;
}

static int set_user(struct config *config, const char *name, struct ecp_error *err)
{
	if (isolation_parse_user(name, &config->user) < 0)
		return ecp_error_set(err, -EINVAL, "user: there is no \"%.60s\"", name);
	config->have_user = true;
	return 0;
}

static int set_group(struct config *config, const char *name, struct ecp_error *err)
{
	if (isolation_parse_group(name, &config->group) < 0)
		return ecp_error_set(err, -EINVAL, "group: there is no \"%.60s\"", name);
	config->have_group = true;
	return 0;
}

static int set_capture_group(struct config *config, const char *name, struct ecp_error *err)
{
	if (isolation_parse_group(name, &config->capture_group) < 0)
		return ecp_error_set(err, -EINVAL, "capture_group: there is no \"%.60s\"",
				     name);
	config->have_capture_group = true;
	return 0;
}

static int set_log_level(struct config *config, const char *name, struct ecp_error *err)
{
	if (!log_level_parse(name, &config->log_level))
		return ecp_error_set(
		    err, -EINVAL, "log: \"%.20s\" is none of error, warning, info, debug",
		    name);
	return 0;
}

/* The kernel's own rule (dev_valid_name() in net/core/dev.c). */
static bool interface_name_ok(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len < NETIF_NAME && strcmp(name, ".") && strcmp(name, "..") &&
	       !strpbrk(name, "/: \t\n");
}

static int set_backend(struct config_relay *relay, const char *name, struct ecp_error *err)
{
	if (!relay_backend_known(name))
		return ecp_error_set(err, -EINVAL, "backend: \"%.20s\" is none of %s", name,
				     relay_backend_names);
	snprintf(relay->backend, sizeof(relay->backend), "%s", name);
	return 0;
}

static int set_send(struct config_relay *relay, const char *name, struct ecp_error *err)
{
	if (!relay_send_parse(name, &relay->send))
		return ecp_error_set(err, -EINVAL,
				     "send: \"%.20s\" is none of " RELAY_SEND_NAMES, name);
	return 0;
}

/* Copy a text that must fit its place. */
static int set_text(char *to, size_t room, const char *key, const char *value,
		    struct ecp_error *err)
{
	if (strlen(value) >= room)
		return ecp_error_set(err, -EINVAL, "%s: longer than %zu bytes", key,
				     room - 1);
	memcpy(to, value, strlen(value) + 1);
	return 0;
}

static int set_filter(struct config_relay *relay, const char *value, struct ecp_error *err)
{
	relay->have_filter = true;
	return set_text(relay->filter, sizeof(relay->filter), "filter", value, err);
}

static int set_policy(struct config *config, const char *path, struct ecp_error *err)
{
	if (!*path)
		return ecp_error_set(err, -EINVAL, "policy: the path of a file");
	return set_text(config->policy, sizeof(config->policy), "policy", path, err);
}

/* A new relay with everything at its default, or NULL with *err set. */
static struct config_relay *add_relay(struct config *config, const char *interface,
				      struct ecp_error *err)
{
	if (!interface_name_ok(interface)) {
		ecp_error_set(err, -EINVAL, "interface: \"%.40s\" is not an interface name",
			      interface);
		return NULL;
	}
	for (unsigned i = 0; i < config->n_relays; i++)
		if (!strcmp(config->relays[i].interface, interface)) {
			ecp_error_set(err, -EINVAL, "interface: %s is named twice",
				      interface);
			return NULL;
		}
	if (config->n_relays == CONFIG_RELAYS_MAX) {
		ecp_error_set(err, -EINVAL, "at most %d interfaces", CONFIG_RELAYS_MAX);
		return NULL;
	}
	struct config_relay *relay = &config->relays[config->n_relays++];
	*relay = (struct config_relay){.promiscuous = true, .speed = 1};
	snprintf(relay->interface, sizeof(relay->interface), "%s", interface);
	snprintf(relay->backend, sizeof(relay->backend), "%s", relay_afpacket_ops.name);
	return relay;
}

/* ---- the file ---- */

static void read_path(const struct ecp_json *json, const char *key, char path[CONFIG_PATH],
		      struct ecp_error *err)
{
	const char *value = ecp_json_string(json, key, NULL, err);
	if (value)
		set_text(path, CONFIG_PATH, key, value, err);
}

static void read_relay(struct config *config, const struct ecp_json *json,
		       struct ecp_error *err)
{
	static const char *const keys[] = {
	    "interface", "backend", "promiscuous", "frame_size", "ring_frames", "send",
	    "filter",    "read",    "write",       "speed",      NULL};
	if (!ecp_json_check_keys(json, "relays", keys, err))
		return;
	const char *interface = ecp_json_string(json, "interface", "", err);
	const char *backend =
	    ecp_json_string(json, "backend", relay_afpacket_ops.name, err);
	const char *send = ecp_json_string(json, "send", "auto", err);
	struct config_relay *relay = err->code ? NULL : add_relay(config, interface, err);
	if (!relay)
		return;
	set_backend(relay, backend, err);
	set_send(relay, send, err);
	relay->promiscuous = ecp_json_bool(json, "promiscuous", true, err);
	relay->frame_size =
	    (uint32_t)ecp_json_u64(json, "frame_size", 64, ECP_FRAME_MAX, 0, err);
	relay->ring_frames =
	    (uint32_t)ecp_json_u64(json, "ring_frames", 64, 1 << 20, 0, err);
	const char *filter = ecp_json_string(json, "filter", NULL, err);
	if (filter)
		set_filter(relay, filter, err);
	read_path(json, "read", relay->read, err);
	read_path(json, "write", relay->write, err);
	relay->speed = (uint32_t)ecp_json_u64(json, "speed", 0, 1000000, 1, err);
}

/* A key that holds a string goes to its setter. */
static void read_string(struct config *config, const struct ecp_json *root, const char *key,
			int (*set)(struct config *, const char *, struct ecp_error *),
			struct ecp_error *err)
{
	const char *value = ecp_json_string(root, key, NULL, err);
	if (value && !err->code)
		set(config, value, err);
}

static void read_root(struct config *config, const struct ecp_json *root,
		      struct ecp_error *err)
{
	static const char *const keys[] = {
	    "socket", "user",        "group",         "capture_group",
	    "log",    "max_clients", "max_endpoints", "max_memory_mib",
	    "policy", "spin_us",     "seccomp",       "relays",
	    NULL};
	if (!ecp_json_check_keys(root, "the configuration", keys, err))
		return;
	read_string(config, root, "socket", set_socket, err);
	read_string(config, root, "user", set_user, err);
	read_string(config, root, "group", set_group, err);
	read_string(config, root, "capture_group", set_capture_group, err);
	read_string(config, root, "log", set_log_level, err);
	read_string(config, root, "policy", set_policy, err);
	config->max_clients = (uint32_t)ecp_json_u64(root, "max_clients", 1, CLIENTS_MAX,
						     config->max_clients, err);
	config->max_endpoints = (uint32_t)ecp_json_u64(
	    root, "max_endpoints", 1, CONFIG_ENDPOINTS_MAX, config->max_endpoints, err);
	config->max_memory_mib = (uint32_t)ecp_json_u64(
	    root, "max_memory_mib", 1, CONFIG_MEMORY_MAX_MIB, config->max_memory_mib, err);
	config->spin_us =
	    (uint32_t)ecp_json_u64(root, "spin_us", 0, CONFIG_SPIN_MAX, 0, err);
	config->seccomp = ecp_json_bool(root, "seccomp", config->seccomp, err);
	size_t n;
	const struct ecp_json *item =
	    ecp_json_array(root, "relays", CONFIG_RELAYS_MAX, &n, err);
	for (size_t i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_relay(config, item, err);
}

int config_parse(struct config *config, const char *text, size_t len, struct ecp_error *err)
{
	struct ecp_json *root = ecp_json_parse(text, len, true, err);
	if (root)
		read_root(config, root, err);
	ecp_json_free(root);
	return err->code;
}

int config_load(struct config *config, const char *path, struct ecp_error *err)
{
	struct ecp_error why = {0};
	size_t len;
	char *text = file_read(path, &len, err);
	if (!text)
		return err->code;
	config_parse(config, text, len, &why);
	free(text);
	return file_error(path, &why, err);
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: etherconnd -i INTERFACE [options]\n"
    "       etherconnd -c FILE [options]\n"
    "\n"
    "Gives unprivileged programs virtual Ethernet and UDP endpoints on an interface.\n"
    "\n"
    "  -i, --interface NAME     serve this interface (may be repeated)\n"
    "  -b, --backend NAME       af_packet (default), af_packet_v3, pcap or\n"
    "                           pcapfile\n"
    "  -f, --filter EXPRESSION  receive this, in libpcap's words; \"\" is everything\n"
    "                           (default: what is claimed)\n"
    "  -r, --read FILE          pcapfile: the capture to replay\n"
    "  -w, --write FILE         pcapfile: the capture to write what is sent to\n"
    "  -S, --send HOW           auto (default): by AF_XDP if possible; xdp; socket\n"
    "  -s, --socket PATH        where clients connect (default " ECP_SOCK_PATH ")\n"
    "  -g, --group GROUP        who may connect, besides the daemon's own user\n"
    "  -u, --user USER[:GROUP]  become this user once everything is open\n"
    "  -c, --config FILE        JSON, comments allowed; see etherconnd.conf(5)\n"
    "  -l, --log LEVEL          error, warning, info (default) or debug\n"
    "  -H, --handover           only open sockets, for systemd to keep for a daemon\n"
    "                           without privileges\n"
    "  -h, --help               this text\n"
    "  -V, --version            version\n";

static const char short_options[] = "i:b:f:r:w:S:s:g:u:c:l:HhV";
static const struct option long_options[] = {
    {"interface", required_argument, NULL, 'i'},
    {"backend", required_argument, NULL, 'b'},
    {"filter", required_argument, NULL, 'f'},
    {"read", required_argument, NULL, 'r'},
    {"write", required_argument, NULL, 'w'},
    {"send", required_argument, NULL, 'S'},
    {"socket", required_argument, NULL, 's'},
    {"group", required_argument, NULL, 'g'},
    {"user", required_argument, NULL, 'u'},
    {"config", required_argument, NULL, 'c'},
    {"handover", no_argument, NULL, 'H'},
    {"log", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* The opener says which of the two it is: in a journal the daemon's own complaint comes next. */
static enum config_action complain(const struct config *config, const char *text)
{
	fprintf(stderr, "etherconnd%s: %s\n", config->hand_over ? " --handover" : "", text);
	return CONFIG_EXIT_USAGE;
}

/*
 * The first pass: the file comes before every other option, wherever -c stands, and hand_over is
 * known whatever is wrong.
 */
static enum config_action load_file(struct config *config, int argc, char **argv)
{
	struct ecp_error err = {0};
	const char *path = NULL;
	bool wrong = false; /* getopt has said what */
	int c;
	optind = 0;
	while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		wrong |= c == '?';
		config->hand_over |= c == 'H';
		if (c == 'c')
			path = optarg;
	}
	if (wrong)
		return CONFIG_EXIT_USAGE;
	if (optind < argc) {
		fprintf(stderr, "etherconnd: what is \"%s\"?  Try --help\n", argv[optind]);
		return CONFIG_EXIT_USAGE;
	}
	if (path && config_load(config, path, &err) < 0)
		return complain(config, err.text);
	return CONFIG_RUN;
}

struct command_line {
	const char *backend, *filter, *read, *write, *send;
	bool replaced_relays; /* -i stands for all relays of the file */
};

static void take_interface(struct config *config, struct command_line *line,
			   struct ecp_error *err)
{
	if (!line->replaced_relays)
		config->n_relays = 0;
	line->replaced_relays = true;
	add_relay(config, optarg, err);
}

static enum config_action take_option(struct config *config, struct command_line *line,
				      int c)
{
	struct ecp_error err = {0};
	switch (c) {
	case 'i':
		take_interface(config, line, &err);
		break;
	case 'b':
		line->backend = optarg;
		break;
	case 'f':
		line->filter = optarg;
		break;
	case 'r':
		line->read = optarg;
		break;
	case 'w':
		line->write = optarg;
		break;
	case 'S':
		line->send = optarg;
		break;
	case 's':
		set_socket(config, optarg, &err);
		break;
	case 'g':
		set_group(config, optarg, &err);
		break;
	case 'u':
		set_user(config, optarg, &err);
		break;
	case 'l':
		set_log_level(config, optarg, &err);
		break;
	case 'h':
		fputs(usage, stdout);
		return CONFIG_EXIT_OK;
	case 'V':
		puts("etherconnd " EC_VERSION);
		return CONFIG_EXIT_OK;
	}
	return err.code ? complain(config, err.text) : CONFIG_RUN;
}

/*
 * Who may connect when nobody said so: whoever typed sudo, so that `sudo etherconnd -i eth0`
 * serves them; else the group that the package makes.
 */
static void default_group(struct config *config)
{
	const char *sudo = getenv("SUDO_GID");
	if (config->have_group || geteuid() != 0)
		return;
	if (sudo && isolation_parse_group(sudo, &config->group) == 0)
		config->have_group = true;
	else if (isolation_parse_group("etherconn", &config->group) == 0)
		config->have_group = true;
}

/* What the line says of relays holds for each of them. */
static int finish_relay(struct config_relay *relay, const struct command_line *line,
			struct ecp_error *err)
{
	if (line->backend)
		set_backend(relay, line->backend, err);
	if (line->send)
		set_send(relay, line->send, err);
	if (line->filter)
		set_filter(relay, line->filter, err);
	if (line->read)
		set_text(relay->read, CONFIG_PATH, "read", line->read, err);
	if (line->write)
		set_text(relay->write, CONFIG_PATH, "write", line->write, err);
	bool files = relay->read[0] || relay->write[0];
	if (!err->code && files && strcmp(relay->backend, relay_pcapfile_ops.name))
		ecp_error_set(err, -EINVAL, "read, write: of the pcapfile back-end only");
	return err->code;
}

static enum config_action finish(struct config *config, const struct command_line *line)
{
	struct ecp_error err = {0};
	for (unsigned i = 0; i < config->n_relays; i++)
		if (finish_relay(&config->relays[i], line, &err) < 0)
			return complain(config, err.text);
	if (!config->n_relays)
		return complain(config,
				"which interface?  -i NAME, or -c FILE; --help says more");
	default_group(config);
	return CONFIG_RUN;
}

enum config_action config_from_args(struct config *config, int argc, char **argv)
{
	struct command_line line = {0};
	int c;
	config_defaults(config);
	enum config_action action = load_file(config, argc, argv);
	optind = 0;
	while (action == CONFIG_RUN &&
	       (c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
		action = take_option(config, &line, c);
	return action == CONFIG_RUN ? finish(config, &line) : action;
}
