/*
 * doctor.c - `etherconnctl doctor`: what is wrong, and the command that mends it.
 */
#include "ctl/doctor.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELAYS_MAX 16

/* ---- findings ---- */

struct finding *finding_set(struct finding *finding, enum doctor_level level,
			    const char *format, ...)
{
	va_list args;
	finding->level = level;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return finding;
}

void finding_mend(struct finding *finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(finding->mend, sizeof(finding->mend), format, args);
	va_end(args);
}

static const char *const level_words[] = {
    [DOCTOR_FINE] = "fine",
    [DOCTOR_NOTE] = "note",
    [DOCTOR_FAULT] = "fault",
};

static void report_json(struct ctl *ctl, const struct finding *finding)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "level", level_words[finding->level]);
	ecp_json_put_string(&w, "check", finding->check);
	if (finding->interface)
		ecp_json_put_string(&w, "interface", finding->interface);
	ecp_json_put_string(&w, "text", finding->text);
	if (*finding->mend)
		ecp_json_put_string(&w, "mend", finding->mend);
	ecp_json_close_object(&w);
	ctl_list_add(ctl);
}

static void report_text(const struct ctl *ctl, const struct finding *finding)
{
	bool red = ctl->colour && finding->level == DOCTOR_FAULT;
	printf("%s%-5s%s  ", red ? "\033[31m" : "", level_words[finding->level],
	       red ? "\033[0m" : "");
	if (finding->interface)
		printf("%s: ", finding->interface);
	printf("%s\n", finding->text);
	if (*finding->mend && !ctl->options.brief)
		printf("       # %s\n", finding->mend);
}

void doctor_report(struct doctor *doctor, const struct finding *finding)
{
	doctor->n_faults += finding->level == DOCTOR_FAULT;
	if (finding->level == DOCTOR_FINE && !doctor->ctl->options.all)
		return;
	doctor->n_printed++;
	if (doctor->ctl->options.json)
		report_json(doctor->ctl, finding);
	else
		report_text(doctor->ctl, finding);
}

/* ---- the socket ---- */

static const char *user_name(uid_t uid, char text[32])
{
	const struct passwd *user = getpwuid(uid);
	if (user)
		snprintf(text, 32, "%s", user->pw_name);
	else
		snprintf(text, 32, "%u", uid);
	return text;
}

static const char *group_name(gid_t gid, char text[32])
{
	const struct group *group = getgrgid(gid);
	if (group)
		snprintf(text, 32, "%s", group->gr_name);
	else
		snprintf(text, 32, "%u", gid);
	return text;
}

/* The unit whose socket this is: an instance has its name from it. */
static const char *unit_of(const char *socket, char unit[static ECP_SOCK_ROOM])
{
	const char *name = strrchr(socket, '/'), *end = strrchr(socket, '.');
	bool ours = !strncmp(socket, ECP_SOCK_DIR "/", strlen(ECP_SOCK_DIR) + 1);
	if (!ours || !name || !end || end < name || !strcmp(socket, ECP_SOCK_PATH))
		return "etherconnd";
	snprintf(unit, ECP_SOCK_ROOM, "etherconnd@%.*s", (int)(end - name - 1), name + 1);
	return unit;
}

/* By its configuration, if there is one; else for one interface, which only they know. */
static void mend_start(struct finding *f, const struct ctl *ctl)
{
	const char *interface = ctl->options.interface;
	char names[256];
	/* -i looks there, unless another socket is named */
	bool by_default = !ctl->options.socket && !strcmp(ctl->socket, ECP_SOCK_PATH);
	if (by_default && !interface && ecp_sock_instances(names, sizeof(names)) > 1)
		finding_mend(f, "etherconnctl doctor -i INTERFACE, one of: %s", names);
	else if (!interface && access("/etc/etherconnd.conf", F_OK) == 0)
		finding_mend(f, "systemctl start etherconnd");
	else
		finding_mend(f, "systemctl start etherconnd@%s",
			     interface ? interface : "INTERFACE");
}

/* Connected, or it has reported why not. */
static bool check_connection(struct doctor *doctor)
{
	struct ctl *ctl = doctor->ctl;
	struct finding f = {.check = "socket"};
	struct stat st;
	char user[32], group[32];
	int r = ctl_open(ctl);
	if (r == 0)
		return true;
	finding_set(&f, DOCTOR_FAULT, "no daemon answers at %s: %s", ctl->socket,
		    strerror(-r));
	if (r == -EACCES && stat(ctl->socket, &st) == 0)
		finding_mend(&f, "usermod -aG %s %s", group_name(st.st_gid, group),
			     user_name(geteuid(), user));
	else if (r == -ENOENT || r == -ECONNREFUSED)
		mend_start(&f, ctl);
	doctor_report(doctor, &f);
	return false;
}

static void check_permissions(struct doctor *doctor)
{
	struct finding f = {.check = "socket"};
	const char *path = doctor->ctl->socket;
	struct stat st;
	char group[32];
	if (stat(path, &st) < 0)
		finding_set(&f, DOCTOR_NOTE, "%s: %s", path, strerror(errno));
	else if (st.st_mode & S_IWOTH)
		finding_mend(finding_set(&f, DOCTOR_FAULT,
					 "everybody on this machine may claim endpoints: "
					 "anybody can write to %s",
					 path),
			     "chmod o-rwx %s", path);
	else
		finding_set(&f, DOCTOR_FINE, "%s is for its owner%s%s", path,
			    st.st_mode & S_IWGRP ? " and the group " : " alone",
			    st.st_mode & S_IWGRP ? group_name(st.st_gid, group) : "");
	doctor_report(doctor, &f);
}

/* ---- the daemon ---- */

static void check_version(struct doctor *doctor, const struct ecp_status *status)
{
	struct finding f = {.check = "version"};
	char unit[ECP_SOCK_ROOM];
	if (!strcmp(status->version, EC_VERSION))
		finding_set(&f, DOCTOR_FINE, "daemon and etherconnctl are %s", EC_VERSION);
	else
		finding_mend(
		    finding_set(&f, DOCTOR_FAULT,
				"the daemon is version %s, etherconnctl %s: one of "
				"them was not restarted, or not installed",
				status->version, EC_VERSION),
		    "systemctl restart %s", unit_of(doctor->ctl->socket, unit));
	doctor_report(doctor, &f);
}

static void check_user(struct doctor *doctor, const struct ecp_status *status)
{
	struct finding f = {.check = "user"};
	if (status->uid == 0)
		finding_mend(finding_set(&f, DOCTOR_NOTE,
					 "the daemon runs as root, if without its "
					 "capabilities"),
			     "etherconnd -u nobody ...");
	else
		finding_set(&f, DOCTOR_FINE, "the daemon runs as uid %u", status->uid);
	doctor_report(doctor, &f);
}

/* ---- what it serves ---- */

static struct relays {
	unsigned n;
	char names[RELAYS_MAX][ECP_IFNAME];
	struct doctor_served served[RELAYS_MAX];
} relays;

static void keep_relays(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	const char *asked = ctl->options.interface;
	(void)first;
	for (unsigned i = 0; i < page->n && relays.n < RELAYS_MAX; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		if (asked && strcmp(asked, r->interface) != 0)
			continue;
		relays.served[relays.n] =
		    (struct doctor_served){.known = true, .oversize = r->stats.rx_oversize};
		snprintf(relays.names[relays.n++], ECP_IFNAME, "%s", r->interface);
	}
}

static void keep_tags(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n; i++)
		for (unsigned j = 0; j < relays.n; j++)
			if (page->endpoints[i].l2.n_vlans == 2 &&
			    !strcmp(page->endpoints[i].interface, relays.names[j]))
				relays.served[j].has_two_tags = true;
}

static enum ctl_exit check_daemon(struct doctor *doctor)
{
	struct ctl *ctl = doctor->ctl;
	check_permissions(doctor);
	ctl->request.type = ECP_REQ_STATUS;
	enum ctl_exit code = ctl_ask(ctl, ECP_REP_STATUS);
	if (code != CTL_OK)
		return code;
	struct ecp_status status = ctl->reply.status;
	check_version(doctor, &status);
	check_user(doctor, &status);
	code = ctl_pages(ctl, ECP_SHOW_RELAYS, keep_relays);
	return code == CTL_OK ? ctl_pages(ctl, ECP_SHOW_ENDPOINTS, keep_tags) : code;
}

static void check_interfaces(struct doctor *doctor, bool connected)
{
	const char *asked = doctor->ctl->options.interface;
	static const struct doctor_served unknown;
	struct finding f = {.check = "relay", .interface = asked};
	for (unsigned i = 0; i < relays.n; i++)
		doctor_check_interface(doctor, relays.names[i], &relays.served[i]);
	if (relays.n || !asked)
		return;
	if (connected) {
		finding_mend(finding_set(&f, DOCTOR_FAULT, "the daemon does not serve it"),
			     "systemctl start etherconnd@%s", asked);
		doctor_report(doctor, &f);
	}
	doctor_check_interface(doctor, asked, &unknown);
}

/* ---- the command ---- */

enum ctl_exit cmd_doctor(struct ctl *ctl, int argc, char **argv)
{
	struct doctor doctor = {.ctl = ctl};
	enum ctl_exit code = CTL_OK;
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "doctor takes no argument");
	relays.n = 0;
	if (ctl->options.json)
		ctl_list_begin(ctl, "findings");
	bool connected = check_connection(&doctor);
	if (connected) {
		code = check_daemon(&doctor);
		ctl_close(ctl);
	}
	check_interfaces(&doctor, connected);
	if (ctl->options.json)
		ctl_list_end(ctl);
	else if (!doctor.n_printed)
		puts("all is well");
	return code == CTL_OK && !doctor.n_faults ? CTL_OK : CTL_FAILED;
}
