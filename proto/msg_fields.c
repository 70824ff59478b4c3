/*
 * msg_fields.c - addresses, VLANs, EtherTypes, flags and counters as JSON.
 */
#include "proto/msg_fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void ecp_field_need(const struct ecp_json *obj, const char *key, struct ecp_error *err)
{
	if (!ecp_json_has(obj, key))
		ecp_error_set(err, -EINVAL, "%s: is missing", key);
}

/* A string that must fit into room bytes. */
void ecp_field_read_text(const struct ecp_json *obj, const char *key, char *to, size_t room,
			 struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	to[0] = 0;
	if (!text)
		return;
	if (strlen(text) >= room)
		ecp_error_set(err, -EINVAL, "%s: \"%.40s\" is too long", key, text);
	else
		snprintf(to, room, "%s", text);
}

uint32_t ecp_field_read_u32(const struct ecp_json *obj, const char *key,
			    struct ecp_error *err)
{
	return (uint32_t)ecp_json_u64(obj, key, 0, UINT32_MAX, 0, err);
}

void ecp_field_read_mac(const struct ecp_json *obj, const char *key,
			uint8_t mac[ECP_MAC_LEN], struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	if (text && ecp_mac_parse(text, mac) < 0)
		ecp_error_set(err, -EINVAL, "%s: \"%.40s\" is no MAC address", key, text);
}

void ecp_field_write_mac(struct ecp_json_writer *w, const char *key,
			 const uint8_t mac[ECP_MAC_LEN])
{
	char text[ECP_MAC_TEXT];
	ecp_json_put_string(w, key, ecp_mac_format(mac, text));
}

void ecp_field_read_addr(const struct ecp_json *obj, const char *key, struct ecp_addr *addr,
			 struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	if (text && ecp_addr_parse(text, addr) < 0)
		ecp_error_set(err, -EINVAL,
			      "%s: \"%.60s\" is no address like 10.0.0.1:67 or "
			      "[2001:db8::1]:547",
			      key, text);
}

void ecp_field_write_addr(struct ecp_json_writer *w, const char *key,
			  const struct ecp_addr *addr)
{
	char text[ECP_ADDR_TEXT];
	ecp_json_put_string(w, key, ecp_addr_format(addr, text));
}

static void read_vlan(const struct ecp_json *item, struct ecp_vlan *vlan,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"id", "tpid", "pcp", "dei", NULL};
	if (!ecp_json_check_keys(item, "vlans", keys, err))
		return;
	if (!ecp_json_has(item, "id"))
		ecp_error_set(err, -EINVAL, "vlans: a tag needs its id");
	vlan->id = (uint16_t)ecp_json_u64(item, "id", 0, ECP_VLAN_ID_MAX, 0, err);
	vlan->tpid =
	    (uint16_t)ecp_json_u64(item, "tpid", 0, UINT16_MAX, ECP_TPID_8021Q, err);
	vlan->pcp = (uint8_t)ecp_json_u64(item, "pcp", 0, 7, 0, err);
	vlan->dei = (uint8_t)ecp_json_u64(item, "dei", 0, 1, 0, err);
	if (!err->code && !ecp_tpid_known(vlan->tpid))
		ecp_error_set(err, -EINVAL,
			      "tpid: 33024 (0x8100), 34984 (0x88a8) or 37120 (0x9100)");
}

void ecp_field_read_l2addr(const struct ecp_json *obj, const char *mac_key,
			   struct ecp_l2addr *addr, struct ecp_error *err)
{
	size_t n;
	ecp_field_read_mac(obj, mac_key, addr->mac, err);
	const struct ecp_json *item = ecp_json_array(obj, "vlans", ECP_VLANS_MAX, &n, err);
	if (err->code == -EMSGSIZE) {
		err->code = 0;
		ecp_error_set(err, -EINVAL, "vlans: at most two VLAN tags");
	}
	addr->n_vlans = (uint8_t)n;
	for (size_t i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_vlan(item, &addr->vlans[i], err);
}

void ecp_field_write_l2addr(struct ecp_json_writer *w, const char *mac_key,
			    const struct ecp_l2addr *addr)
{
	ecp_field_write_mac(w, mac_key, addr->mac);
	if (!addr->n_vlans)
		return;
	ecp_json_open_array(w, "vlans");
	for (unsigned i = 0; i < addr->n_vlans; i++) {
		const struct ecp_vlan *vlan = &addr->vlans[i];
		ecp_json_open_object(w, NULL);
		ecp_json_put_u64(w, "id", vlan->id);
		if (vlan->tpid != ECP_TPID_8021Q)
			ecp_json_put_u64(w, "tpid", vlan->tpid);
		if (vlan->pcp)
			ecp_json_put_u64(w, "pcp", vlan->pcp);
		if (vlan->dei)
			ecp_json_put_u64(w, "dei", vlan->dei);
		ecp_json_close_object(w);
	}
	ecp_json_close_array(w);
}

unsigned ecp_field_read_ethertypes(const struct ecp_json *obj, uint16_t *types,
				   struct ecp_error *err)
{
	size_t n;
	const struct ecp_json *item =
	    ecp_json_array(obj, "ethertypes", ECP_ETHERTYPES_MAX, &n, err);
	for (size_t i = 0; i < n; i++, item = ecp_json_next(item)) {
		types[i] =
		    (uint16_t)ecp_json_item_u64(item, "ethertypes", 1, UINT16_MAX, err);
		bool usable = types[i] == ECP_ETHERTYPE_LLC ||
			      (types[i] >= 0x600 && !ecp_tpid_known(types[i]));
		if (!err->code && !usable)
			ecp_error_set(err, -EINVAL,
				      "ethertypes: %u is a length or a VLAN tag's",
				      types[i]);
	}
	return (unsigned)n;
}

void ecp_field_write_ethertypes(struct ecp_json_writer *w, const uint16_t *types,
				unsigned n)
{
	if (!n)
		return;
	ecp_json_open_array(w, "ethertypes");
	for (unsigned i = 0; i < n; i++)
		ecp_json_put_u64(w, NULL, types[i]);
	ecp_json_close_array(w);
}

/* Flags of endpoints are booleans on the wire. */
static const struct {
	const char *key;
	enum ecp_endpoint_flags flag;
	enum ecp_endpoint_kind kind;
} flags[] = {
    {"multicast", ECP_EP_MULTICAST, ECP_KIND_L2},
    {"multicast_any", ECP_EP_MULTICAST_ANY, ECP_KIND_L2},
    {"share", ECP_EP_SHARE, ECP_KIND_L2},
    {"accept_any", ECP_EP_ACCEPT_ANY, ECP_KIND_UDP},
    {"default", ECP_EP_DEFAULT, ECP_KIND_L2},
    {"mirror", ECP_EP_MIRROR, ECP_KIND_L2},
};

#define N_FLAGS (sizeof(flags) / sizeof(*flags))

unsigned ecp_field_read_flags(const struct ecp_json *obj, enum ecp_endpoint_kind kind,
			      struct ecp_error *err)
{
	unsigned set = 0;
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].kind == kind && ecp_json_bool(obj, flags[i].key, false, err))
			set |= flags[i].flag;
	return set;
}

void ecp_field_write_flags(struct ecp_json_writer *w, enum ecp_endpoint_kind kind,
			   unsigned set)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].kind == kind && set & flags[i].flag)
			ecp_json_put_bool(w, flags[i].key, true);
}

void ecp_field_read_counters(const struct ecp_json *obj, const struct ecp_counter *counters,
			     unsigned n, void *stats, struct ecp_error *err)
{
	const struct ecp_json *values = ecp_json_object(obj, "counters", err);
	for (unsigned i = 0; values && i < n; i++)
		ecp_counter_set(
		    &counters[i], stats,
		    ecp_json_u64(values, counters[i].name, 0, UINT64_MAX, 0, err));
}

void ecp_field_write_counters(struct ecp_json_writer *w, const struct ecp_counter *counters,
			      unsigned n, const void *stats)
{
	ecp_json_open_object(w, "counters");
	for (unsigned i = 0; i < n; i++)
		ecp_json_put_u64(w, counters[i].name, ecp_counter_get(&counters[i], stats));
	ecp_json_close_object(w);
}

const char *const ecp_field_lists[] = {
    [ECP_SHOW_RELAYS] = "relays",
    [ECP_SHOW_CLIENTS] = "clients",
    [ECP_SHOW_ENDPOINTS] = "endpoints",
    [ECP_SHOW_POLICY] = "policy",
};

#define N_LISTS (sizeof(ecp_field_lists) / sizeof(*ecp_field_lists))

enum ecp_show ecp_field_read_list_name(const char *name, struct ecp_error *err)
{
	for (unsigned i = 0; name && i < N_LISTS; i++)
		if (!strcmp(name, ecp_field_lists[i]))
			return i;
	ecp_error_set(err, -EINVAL,
		      "what: \"%.40s\" is none of relays, clients, endpoints, policy",
		      name ? name : "");
	return ECP_SHOW_RELAYS;
}

ssize_t ecp_field_written(const struct ecp_json_writer *w)
{
	return w->overflow ? -EMSGSIZE : (ssize_t)w->len;
}
