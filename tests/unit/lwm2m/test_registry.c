/* SPDX-License-Identifier: Apache-2.0 */
/* test_registry.c - definitions of objects: src/lwm2m/registry*.c, and the published ones in src/lwm2m/objects/ */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lwm2m/objects.h"
#include "lwm2m/registry.h"

/* ---- faults as text: "FILE:LINE: TEXT\n" each ---- */

static char faults[65536];

static void note_fault(void *arg, const char *file, unsigned line, const char *text)
{
	const size_t len = strlen(faults);

	(void)arg;
	snprintf(faults + len, sizeof faults - len, "%s:%u: %s\n", file, line, text);
}

static int add(struct lwm2m_registry *r, const char *xml, size_t len)
{
	faults[0] = '\0';
	return lwm2m_registry_add_xml_text(r, "a.xml", xml, len, note_fault, NULL);
}

static struct lwm2m_registry *registry_of(const char *xml)
{
	struct lwm2m_registry *r;

	assert_int_equal(lwm2m_registry_new(&r), 0);
	if (add(r, xml, strlen(xml)))
		fail_msg("%s", faults);
	return r;
}

#define ITEM(id, name, type, more) "<Item ID=\"" id "\"><Name>" name "</Name><Type>" type "</Type>" more "</Item>"
#define OBJECT(id, version, items)                                                                                \
	"<Object><Name>Object " id "</Name><ObjectID>" id "</ObjectID><ObjectVersion>" version "</ObjectVersion>" \
	"<Resources>" items "</Resources></Object>"

/* ---- reading ---- */

static void a_definition_gives_names_types_and_units(void **state)
{
	struct lwm2m_registry *r = registry_of(
		"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a licence -->\r\n"
		"<LWM2M xmlns:xsi=\"x\"><Object ObjectType=\"MODefinition\">\r\n"
		"<Name> Two\r\n\tWords </Name><Description1>&lt;any&gt; text</Description1>"
		"<ObjectID>3400</ObjectID><MultipleInstances>Multiple</MultipleInstances>"
		"<Resources><Item ID=\"7\"><Name>Later</Name><Operations></Operations>"
		"<MultipleInstances>Multiple</MultipleInstances><Type></Type><Units></Units>"
		"<Description><b>bold</b></Description></Item>"
		"<Item ID=\"1\"><Name>First &amp; best</Name><Type>Unsigned Integer</Type>"
		"<Units>m\xc2\xb3</Units></Item></Resources></Object></LWM2M>\r\n");
	struct lwm2m_resource_def res;
	struct lwm2m_object_def o;

	(void)state;
	assert_true(lwm2m_registry_object(r, 3400, 0, &o));
	assert_string_equal(o.name, "Two Words");
	assert_true(o.multiple && !o.secret);
	assert_int_equal(o.version, LWM2M_VERSION(1, 0));
	assert_true(lwm2m_registry_resource(r, 3400, 0, 1, &res));
	assert_string_equal(res.name, "First & best");
	assert_string_equal(res.units, "m\xc2\xb3");
	assert_int_equal(res.type, LWM2M_VALUE_UNSIGNED);
	assert_false(res.multiple || res.secret);
	assert_true(lwm2m_registry_resource(r, 3400, 0, 7, &res));
	assert_null(res.units);
	assert_int_equal(res.type, LWM2M_VALUE_NONE);
	assert_true(res.multiple);
	assert_false(lwm2m_registry_resource(r, 3400, 0, 2, &res) || lwm2m_registry_object(r, 3401, 0, &o));
	assert_false(lwm2m_registry_object(NULL, 3400, 0, &o) || lwm2m_registry_resource(NULL, 3400, 0, 1, &res));
	lwm2m_registry_free(r);
}

static const char *name_in(const struct lwm2m_registry *r, uint16_t version)
{
	struct lwm2m_resource_def res;

	return lwm2m_registry_resource(r, 40000, version, 1, &res) ? res.name : "none";
}

static struct lwm2m_registry *compiled(const char *xml)
{
	struct lwm2m_registry *from = registry_of(xml), *r;
	uint8_t *table;
	size_t len;

	assert_int_equal(lwm2m_registry_save(from, &table, &len), 0);
	lwm2m_registry_free(from);
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_load(r, table, len), 0);
	free(table);
	return r;
}

static void the_registered_version_counts_else_the_newest_and_sites_win(void **state)
{
	struct lwm2m_registry *r = compiled(
		"<LWM2M>" OBJECT("40000", "1.1", ITEM("1", "eleven", "Float", ""))
			OBJECT("40000", "1.0", ITEM("1", "ten", "Float", ""))
				OBJECT("40000", "1.10", ITEM("1", "twenty", "Float", "")) "</LWM2M>");
	static const char site_11[] = "<LWM2M>" OBJECT("40000", "1.1", ITEM("1", "ours", "Integer", "")) "</LWM2M>";
	static const char site_09[] = "<LWM2M>" OBJECT("40000", "0.9", ITEM("1", "old", "Integer", "")) "</LWM2M>";

	(void)state;
	assert_int_equal(lwm2m_registry_objects(r), 3);
	assert_string_equal(name_in(r, LWM2M_VERSION(1, 0)), "ten");
	assert_string_equal(name_in(r, LWM2M_VERSION(1, 1)), "eleven");
	assert_string_equal(name_in(r, 0), "twenty");
	assert_string_equal(name_in(r, LWM2M_VERSION(2, 0)), "twenty");
	assert_int_equal(add(r, site_09, sizeof site_09 - 1), 0);
	assert_string_equal(name_in(r, 0), "old");
	assert_int_equal(add(r, site_11, sizeof site_11 - 1), 0);
	assert_int_equal(lwm2m_registry_objects(r), 4);
	assert_string_equal(name_in(r, LWM2M_VERSION(1, 1)), "ours");
	assert_string_equal(name_in(r, LWM2M_VERSION(1, 0)), "ten");
	assert_string_equal(name_in(r, LWM2M_VERSION(1, 10)), "twenty");
	assert_string_equal(name_in(r, 0), "ours");
	lwm2m_registry_free(r);
}

/* ---- faults ---- */

static void every_fault_is_told_with_its_line_and_nothing_is_taken(void **state)
{
	static const struct {
		const char *xml, *want;
	} rows[] = {
		{ "<LWM2M>\n<Object><Name>A</Name><ObjectID>65536</ObjectID></Object>\n<Object><ObjectID>1</ObjectID></"
		  "Object>\n"
		  "<Object><Name>B</Name></Object></LWM2M>",
		  "a.xml:2: ObjectID: \"65536\" is no number from 0 to 65535\na.xml:3: object 1 has no Name\n"
		  "a.xml:4: object without ObjectID\n" },
		{ "<LWM2M>" OBJECT("1", "1", "") "</LWM2M>", "a.xml:1: ObjectVersion: \"1\" is no version as 1.0\n" },
		{ "<LWM2M>" OBJECT("1", "0.0", "") "</LWM2M>",
		  "a.xml:1: ObjectVersion: \"0.0\" is no version as 1.0\n" },
		{ "<LWM2M>" OBJECT("1", "1.256", "") "</LWM2M>",
		  "a.xml:1: ObjectVersion: \"1.256\" is no version as 1.0\n" },
		{ "<LWM2M>" OBJECT("1", "1.0",
				   "\n" ITEM("1", "x", "Flot", "") "\n" ITEM("1", "", "Float", "")) "</LWM2M>",
		  "a.xml:2: resource 1: Type \"Flot\" is none of String, Integer, Unsigned Integer, Float, Boolean, "
		  "Opaque, Time, "
		  "Objlnk, Corelnk\na.xml:3: resource 1 has no Name\na.xml:1: object 1: resource 1 stands there "
		  "twice\n" },
		{ "<LWM2M>" OBJECT("1", "1.0", ITEM("-1", "x", "", "") "<Item><Name>y</Name></Item>") "</LWM2M>",
		  "a.xml:1: ID: \"-1\" is no number from 0 to 65535\na.xml:1: Item without ID\n"
		  "a.xml:1: object 1: resource 0 stands there twice\n" },
		{ "<LWM2M><Object Mirror='yes'><Name>A</Name><ObjectID>1</ObjectID></Object></LWM2M>",
		  "a.xml:1: Mirror: \"yes\" is not known; \"never\" is\n" },
		{ "<LWM2M></LWM2M>", "a.xml:1: no Object is in it\n" },
		{ "<Objects></Objects>", "a.xml:1: the outermost element is Objects and not LWM2M\n" },
		{ "", "a.xml:1: no element found\n" },
		{ "<LWM2M>\n<Object></LWM2M>", "a.xml:2: mismatched tag\n" },
		{ "<LWM2M>\n" OBJECT("1", "1.0", ITEM("1", "&nbsp;", "", "")) "</LWM2M>",
		  "a.xml:2: undefined entity\n" },
		{ "<LWM2M><Object><Name>\xc2\x85</Name></Object></LWM2M>",
		  "a.xml:1: text holds what cannot be printed\na.xml:1: object without ObjectID\n" },
	};
	struct lwm2m_registry *r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(lwm2m_registry_new(&r), 0);
		assert_int_equal(add(r, rows[i].xml, strlen(rows[i].xml)), -EINVAL);
		if (strcmp(faults, rows[i].want) != 0)
			fail_msg("%s\n got: %s\nwant: %s", rows[i].xml, faults, rows[i].want);
		assert_int_equal(lwm2m_registry_objects(r), 0);
		lwm2m_registry_free(r);
	}
}

#define ENTITIES                                                                            \
	"<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>" \
	"<LWM2M>&b;</LWM2M>"

static void hostile_xml_is_refused(void **state)
{
	static const char *const rows[] = {
		ENTITIES,
		"<?xml version='1.0'?><!DOCTYPE LWM2M SYSTEM \"file:///etc/passwd\"><LWM2M/>",
		"<!DOCTYPE LWM2M><LWM2M/>",
	};
	struct lwm2m_registry *r;

	(void)state;
	assert_int_equal(lwm2m_registry_new(&r), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(add(r, rows[i], strlen(rows[i])), -EINVAL);
		assert_string_equal(faults, "a.xml:1: a document type declaration is not taken\n");
	}
	assert_int_equal(lwm2m_registry_objects(r), 0);
	lwm2m_registry_free(r);
}

static void texts_depth_and_counts_are_bounded(void **state)
{
	static char xml[5 << 20];
	struct lwm2m_registry *r;
	size_t len = 0;

	(void)state;
	assert_int_equal(lwm2m_registry_new(&r), 0);
	snprintf(xml, sizeof xml, "<LWM2M><Object><Name>%0300d</Name><ObjectID>1</ObjectID></Object></LWM2M>", 7);
	assert_int_equal(add(r, xml, strlen(xml)), -EINVAL);
	assert_non_null(strstr(faults, "text is longer than 255 octets"));
	snprintf(xml, sizeof xml, "<LWM2M>" OBJECT("1", "1.0", ITEM("1", "x", "", "<Units>%064d</Units>")) "</LWM2M>",
		 7);
	assert_int_equal(add(r, xml, strlen(xml)), -EINVAL);
	assert_string_equal(faults, "a.xml:1: resource 1: Units are longer than 63 octets\n");
	len = (size_t)snprintf(xml, sizeof xml, "<LWM2M>");
	for (int i = 0; i < 100000; i++)
		len += (size_t)snprintf(xml + len, sizeof xml - len, "<a>");
	assert_int_equal(add(r, xml, len), -EINVAL);
	assert_string_equal(faults, "a.xml:1: elements stand deeper than 16 inside each other\n");
	len = (size_t)snprintf(xml, sizeof xml, "<LWM2M>");
	for (int i = 0; i < 300; i++)
		len += (size_t)snprintf(xml + len, sizeof xml - len,
					"<Object><Name>A</Name><ObjectID>%d</ObjectID></Object>", i);
	assert_int_equal(add(r, xml, len), -EINVAL);
	assert_string_equal(faults, "a.xml:1: more than 256 objects in one file\n");
	memset(xml, ' ', sizeof xml);
	assert_int_equal(add(r, xml, sizeof xml), -EINVAL);
	assert_string_equal(faults, "a.xml:1: longer than 4 MiB\n");
	lwm2m_registry_free(r);
}

static void faults_of_one_file_come_to_an_end(void **state)
{
	static char xml[65536];
	struct lwm2m_registry *r;
	size_t len = (size_t)snprintf(xml, sizeof xml, "<LWM2M>"), lines = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(xml + len, sizeof xml - len, "\n<Object><Name>A</Name></Object>");
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(add(r, xml, len), -EINVAL);
	for (const char *p = faults; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 32);
	lwm2m_registry_free(r);
}

/* ---- the compiled table ---- */

static uint64_t checksum(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

/* So that what is wrong is found by itself and not by the checksum. */
static void sign(uint8_t *table, size_t len)
{
	const uint64_t h = checksum(table + 24, len - 24);

	for (int i = 0; i < 8; i++)
		table[16 + i] = (uint8_t)(h >> (56 - 8 * i));
}

static void a_damaged_table_is_refused_whole(void **state)
{
	struct lwm2m_registry *from = registry_of("<LWM2M>" OBJECT(
				      "1", "1.0", ITEM("1", "x", "Float", "<Units>m</Units>") ITEM("2", "y", "", ""))
							  OBJECT("1", "1.1", ITEM("1", "x", "String", "")) "</LWM2M>"),
			      *r;
	uint8_t *table, *copy;
	size_t len;
	unsigned taken = 0;

	(void)state;
	assert_int_equal(lwm2m_registry_save(from, &table, &len), 0);
	copy = malloc(len);
	assert_non_null(copy);
	assert_int_equal(lwm2m_registry_new(&r), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(lwm2m_registry_load(r, table, cut), -EBADMSG);
	for (size_t i = 0; i < 8 * len; i++) {
		memcpy(copy, table, len);
		copy[i / 8] ^= (uint8_t)(1u << (i & 7));
		assert_int_equal(lwm2m_registry_load(r, copy, len), -EBADMSG);
		if (i / 8 < 24)
			continue;
		sign(copy, len);
		if (lwm2m_registry_load(r, copy, len) == 0) { /* another definition, but a sound one */
			taken++;
			lwm2m_registry_free(r);
			assert_int_equal(lwm2m_registry_new(&r), 0);
		}
	}
	assert_true(taken > 0 && taken < 8 * len / 2);
	assert_int_equal(lwm2m_registry_objects(r), 0);
	free(copy);
	free(table);
	lwm2m_registry_free(from);
	lwm2m_registry_free(r);
}

static void a_table_is_read_from_its_file(void **state)
{
	char dir[] = "/tmp/niddgw-test-XXXXXX", path[64];
	struct lwm2m_registry *r;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/t", dir);
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_read(r, path), -ENOENT);
	assert_int_equal(lwm2m_registry_read(r, dir), -EBADMSG);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a file of another kind, long enough for a head", f);
	fclose(f);
	assert_int_equal(lwm2m_registry_read(r, path), -EBADMSG);
	unlink(path);
	rmdir(dir);
	lwm2m_registry_free(r);
}

/* ---- directories ---- */

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_directory_is_read_in_byte_order_and_all_faults_are_told(void **state)
{
	static const char *const names[] = { "10.xml", "9.xml", ".hidden.xml", "a.txt" };
	char dir[] = "/tmp/niddgw-test-XXXXXX", path[128], want[512];
	struct lwm2m_registry *r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file(dir, "10.xml", "<LWM2M>" OBJECT("40000", "1.0", ITEM("1", "ten", "Float", "")) "</LWM2M>");
	put_file(dir, "9.xml", "<LWM2M>" OBJECT("40000", "1.0", ITEM("1", "nine", "Float", "")) "</LWM2M>");
	put_file(dir, ".hidden.xml", "x");
	put_file(dir, "a.txt", "x");
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_add_dir(r, dir, note_fault, NULL), 0);
	assert_string_equal(name_in(r, 0), "nine"); /* the later file */
	faults[0] = '\0';
	put_file(dir, "10.xml", "<x/>");
	put_file(dir, "9.xml", "");
	snprintf(path, sizeof path, "%s/dir.xml", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(lwm2m_registry_add_dir(r, dir, note_fault, NULL), -EINVAL);
	snprintf(want, sizeof want,
		 "%s/10.xml:1: the outermost element is x and not LWM2M\n%s/9.xml:1: no element found\n"
		 "%s/dir.xml:1: not a regular file\n",
		 dir, dir, dir);
	assert_string_equal(faults, want);
	assert_int_equal(lwm2m_registry_add_dir(r, "/tmp/niddgw-no-such-directory", note_fault, NULL), 0);
	rmdir(path);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	lwm2m_registry_free(r);
}

/* ---- the published definitions ---- */

static const char *word_of(const struct lwm2m_resource_def *res)
{
	return res->type == LWM2M_VALUE_NONE        ? "none"
		: res->type == LWM2M_VALUE_UNSIGNED ? "Unsigned Integer"
						    : lwm2m_kind_name(res->type);
}

/* A line: object version resource name operations multiplicity mandatory type range units. */
static void compare_line(const struct lwm2m_registry *r, char *line)
{
	struct lwm2m_resource_def res;
	char *f[10];
	unsigned major, minor;

	for (size_t i = 0; i < 10; i++)
		assert_non_null(f[i] = strsep(&line, "\t\n"));
	assert_int_equal(sscanf(f[1], "%u.%u", &major, &minor), 2);
	if (!lwm2m_registry_resource(r, (uint16_t)atoi(f[0]), LWM2M_VERSION(major, minor), (uint16_t)atoi(f[2]), &res))
		fail_msg("/%s %s: resource %s is missing", f[0], f[1], f[2]);
	if (strcmp(res.name, f[3]) != 0 || strcasecmp(word_of(&res), f[7]) != 0 || res.multiple != (f[5][0] == 'M') ||
	    strcmp(res.units ? res.units : "-", f[9]) != 0)
		fail_msg("/%s %s/%s: %s %s %d %s, and the list has %s %s %s %s", f[0], f[1], f[2], res.name,
			 word_of(&res), res.multiple, res.units, f[3], f[7], f[5], f[9]);
}

/* The list of resources was made from the same files by other means. */
static void the_published_definitions_compile_to_what_their_list_says(void **state)
{
	FILE *f = fopen("src/lwm2m/objects/resources.tsv", "r");
	struct lwm2m_registry *from, *r;
	char line[4096];
	uint8_t *table;
	size_t len, n = 0;

	(void)state;
	assert_non_null(f);
	assert_int_equal(lwm2m_registry_new(&from), 0);
	faults[0] = '\0';
	if (lwm2m_registry_add_dir(from, "src/lwm2m/objects/history", note_fault, NULL) ||
	    lwm2m_registry_add_dir(from, "src/lwm2m/objects", note_fault, NULL))
		fail_msg("%s", faults);
	assert_int_equal(lwm2m_registry_objects(from), 395);
	assert_int_equal(lwm2m_registry_save(from, &table, &len), 0);
	lwm2m_registry_free(from);
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_load(r, table, len), 0);
	free(table);
	while (fgets(line, sizeof line, f))
		if (line[0] != '#') {
			compare_line(r, line);
			n++;
		}
	fclose(f);
	assert_int_equal(n, 4078);
	lwm2m_registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_gives_names_types_and_units),
		cmocka_unit_test(the_registered_version_counts_else_the_newest_and_sites_win),
		cmocka_unit_test(every_fault_is_told_with_its_line_and_nothing_is_taken),
		cmocka_unit_test(hostile_xml_is_refused),
		cmocka_unit_test(texts_depth_and_counts_are_bounded),
		cmocka_unit_test(faults_of_one_file_come_to_an_end),
		cmocka_unit_test(a_damaged_table_is_refused_whole),
		cmocka_unit_test(a_table_is_read_from_its_file),
		cmocka_unit_test(a_directory_is_read_in_byte_order_and_all_faults_are_told),
		cmocka_unit_test(the_published_definitions_compile_to_what_their_list_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
