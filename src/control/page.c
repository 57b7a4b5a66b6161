/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the status page
 *
 * The assembler takes the files in, so they are edited and read as what they are, and the program needs none of them at
 * run time.
 */
#include "control/page.h"

#include <string.h>

#define FILE_OF(name, path)                                                                                          \
	__asm__(".section .rodata\n.global page_" #name "\npage_" #name ":\n.incbin \"src/control/page/" path "\"\n" \
		".global page_" #name "_end\npage_" #name "_end:\n.byte 0\n.previous\n");                            \
	extern const char page_##name[], page_##name##_end[];

FILE_OF(html, "page.html")
FILE_OF(css, "page.css")
FILE_OF(js, "page.js")

static const struct page_file files[] = {
	{ "/", "text/html; charset=utf-8", page_html, page_html_end },
	{ "/page.css", "text/css; charset=utf-8", page_css, page_css_end },
	{ "/page.js", "text/javascript; charset=utf-8", page_js, page_js_end },
};

const struct page_file *page_find(const char *path, size_t len)
{
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (strlen(files[i].path) == len && !memcmp(files[i].path, path, len))
			return &files[i];
	return NULL;
}
