/* SPDX-License-Identifier: Apache-2.0 */
/* nosymbol.c - a library that is no plug-in */
int nothing_here(void);
int nothing_here(void)
{
	return 0;
}
