/*
 * metrics.h - all counters as OpenMetrics text, from the tables of proto/stats.h.
 */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include "ctl/ctl.h"

/*
 * Ask the daemon, over the connection that ctl has, and write it all to `to`; plain: in the older
 * text format of Prometheus.
 */
enum ctl_exit metrics_write(struct ctl *ctl, bool plain, FILE *to);

/*
 * Be an HTTP server for one request, as inetd(8) and systemd.socket(5) with Accept=yes start
 * one: read it from standard input, answer on standard output.
 */
enum ctl_exit metrics_serve(struct ctl *ctl);

#endif
