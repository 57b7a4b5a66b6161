/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the status page, as it lies in page/: three files, part of the program */
#ifndef NIDDGW_CONTROL_PAGE_H
#define NIDDGW_CONTROL_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path, *content_type;
	const char *data, *end;
};
const struct page_file *page_find(const char *path, size_t len); /* "/", "/page.css", "/page.js"; NULL: none of them */

#endif
