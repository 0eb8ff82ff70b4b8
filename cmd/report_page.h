/* SPDX-License-Identifier: MIT */
/* The template of the page, report.html, with a NUL; made when the command is built. */
#ifndef USWAP_CMD_REPORT_PAGE_H
#define USWAP_CMD_REPORT_PAGE_H

extern const char report_page[];

#endif
