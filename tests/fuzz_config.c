/*
 * fuzz_config.c - any bytes as the configuration file: refused with a sentence, or every value
 * is within its limits.
 */
#include "daemon/config.h"
#include "proto/frame.h"
#include "tests/fuzz.h"

static void check_relay(const struct config *config, unsigned i)
{
	const struct config_relay *relay = &config->relays[i];
	MUST(memchr(relay->interface, 0, sizeof(relay->interface)) && relay->interface[0]);
	MUST(!strchr(relay->interface, '/') && strcmp(relay->interface, ".."));
	MUST(!strcmp(relay->backend, "af_packet") || !strcmp(relay->backend, "pcap"));
	MUST(relay->frame_size <= ECP_FRAME_MAX && relay->ring_frames <= 1 << 20);
	for (unsigned k = 0; k < i; k++)
		MUST(strcmp(relay->interface, config->relays[k].interface));
}

static void check_config(const struct config *config)
{
	MUST(memchr(config->socket, 0, sizeof(config->socket)) && config->socket[0]);
	MUST(config->log_level <= LOG_LEVEL_DEBUG);
	MUST(config->max_clients >= 1 && config->max_clients <= 4096);
	MUST(config->max_memory_mib >= 1 && config->max_memory_mib <= 1 << 20);
	MUST(config->max_endpoints >= 1 && config->max_endpoints <= CONFIG_ENDPOINTS_MAX);
	MUST(config->n_relays <= CONFIG_RELAYS_MAX);
	for (unsigned i = 0; i < config->n_relays; i++)
		check_relay(config, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct ecp_error err = {0};
	uint8_t *text = fuzz_copy(data, size);
	config_defaults(&config);
	int r = config_parse(&config, (char *)text, size, &err);
	free(text);
	MUST(r == err.code);
	if (r < 0)
		MUST(err.text[0] && memchr(err.text, 0, sizeof(err.text)));
	else
		check_config(&config);
	return 0;
}
