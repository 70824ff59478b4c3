/*
 * msg_fields.h - fields that several control messages have, read from JSON and written to it.
 *
 * Used by the other msg_*.c only.  Reading: a field that is missing leaves a zero
 * (unless said otherwise), a wrong one sets *err.
 */
#ifndef ECP_MSG_FIELDS_H
#define ECP_MSG_FIELDS_H

#include "proto/msg.h"

/* It is an error if key is missing. */
void ecp_field_need(const struct ecp_json *obj, const char *key, struct ecp_error *err);

/* A string that must fit into room bytes. */
void ecp_field_read_text(const struct ecp_json *obj, const char *key, char *to, size_t room,
			 struct ecp_error *err);
uint32_t ecp_field_read_u32(const struct ecp_json *obj, const char *key,
			    struct ecp_error *err);
void ecp_field_read_mac(const struct ecp_json *obj, const char *key,
			uint8_t mac[ECP_MAC_LEN], struct ecp_error *err);
void ecp_field_write_mac(struct ecp_json_writer *w, const char *key,
			 const uint8_t mac[ECP_MAC_LEN]);
void ecp_field_read_addr(const struct ecp_json *obj, const char *key, struct ecp_addr *addr,
			 struct ecp_error *err);
void ecp_field_write_addr(struct ecp_json_writer *w, const char *key,
			  const struct ecp_addr *addr);
void ecp_field_read_l2addr(const struct ecp_json *obj, const char *mac_key,
			   struct ecp_l2addr *addr, struct ecp_error *err);
void ecp_field_write_l2addr(struct ecp_json_writer *w, const char *mac_key,
			    const struct ecp_l2addr *addr);
unsigned ecp_field_read_ethertypes(const struct ecp_json *obj, uint16_t *types,
				   struct ecp_error *err);
void ecp_field_write_ethertypes(struct ecp_json_writer *w, const uint16_t *types,
				unsigned n);

/* Flags of endpoints are booleans on the wire: those of this kind of endpoint. */
unsigned ecp_field_read_flags(const struct ecp_json *obj, enum ecp_endpoint_kind kind,
			      struct ecp_error *err);
void ecp_field_write_flags(struct ecp_json_writer *w, enum ecp_endpoint_kind kind,
			   unsigned set);

/* All counters, as an object "counters". */
void ecp_field_read_counters(const struct ecp_json *obj, const struct ecp_counter *counters,
			     unsigned n, void *stats, struct ecp_error *err);
void ecp_field_write_counters(struct ecp_json_writer *w, const struct ecp_counter *counters,
			      unsigned n, const void *stats);

/* "relays" -> ECP_SHOW_RELAYS ... */
enum ecp_show ecp_field_read_list_name(const char *name, struct ecp_error *err);

/* Of a rule, and of a verdict: an object "limits". */
void ecp_field_read_limits(const struct ecp_json *obj, struct ecp_policy_limits *ret,
			   struct ecp_error *err);
void ecp_field_write_limits(struct ecp_json_writer *w,
			    const struct ecp_policy_limits *from);
void ecp_field_read_rule(const struct ecp_json *obj, struct ecp_rule_info *rule,
			 struct ecp_error *err);
void ecp_field_write_rule(struct ecp_json_writer *w, const struct ecp_rule_info *rule);

/* The length of what was written, or -EMSGSIZE. */
ssize_t ecp_field_written(const struct ecp_json_writer *w);

/* How the lists are called on the wire, by enum ecp_show. */
extern const char *const ecp_field_lists[];

#endif
