/* SPDX-License-Identifier: Apache-2.0 */
/* registration_edit.c - what a Register or Update says north where a server entry asks for it
 *
 * An edit gives the list of Uri-Query options the message shall have: untouched ones point into the message, new ones
 * into the list's own text, so nothing else is moved. Binding and queue mode are planned together before the parameters
 * are walked, because LwM2M 1.0 writes them as one parameter and later versions as two.
 */
#include "lwm2m/param.h"

#include <errno.h>

#define BINDING_MAX 8 /* each letter once */

/* What b and Q shall be north. */
struct plan {
	bool edit;          /* they are written anew */
	bool has_b, has_q;  /* parameters of the message */
	bool want_q;        /* Q as a parameter of its own */
	struct coap_text b; /* "b=.."; p NULL: none is to be there */
};

struct edit {
	struct lwm2m_queries *q;
	struct writer text; /* of q->text */
	bool changed, failed;
};

static const struct coap_text q_flag = { "Q", 1 };

static void add(struct edit *e, const struct coap_text *t)
{
	if (e->q->n == LWM2M_QUERIES_MAX)
		e->failed = true;
	else
		e->q->v[e->q->n++] = *t;
}

static void add_new(struct edit *e, const struct coap_text *t)
{
	e->changed = true;
	add(e, t);
}

/* Ends a text that was begun at start; a query above 255 octets cannot be sent. */
static struct coap_text end_text(struct edit *e, const uint8_t *start)
{
	struct coap_text t = { (const char *)start, (size_t)(e->text.p - start) };

	if (e->text.failed || t.len > 255)
		e->failed = true;
	return t;
}

/* "b=" and the letters, U where there is none; in LwM2M 1.0 Q stands behind the first (UQ, SQ, UQS). */
static struct coap_text write_binding(struct edit *e, const struct coap_text *letters, bool with_q)
{
	const uint8_t *start = e->text.p;
	bool first = true;

	write_bytes(&e->text, "b=", 2);
	for (size_t i = 0; i < letters->len; i++) {
		if (letters->p[i] == 'Q')
			continue;
		write_u8(&e->text, (uint8_t)letters->p[i]);
		if (first && with_q)
			write_u8(&e->text, 'Q');
		first = false;
	}
	if (first)
		write_bytes(&e->text, "UQ", with_q ? 2 : 1);
	return end_text(e, start);
}

/* On Update the queue mode can be set only together with b: alone it would not say what it belongs to. */
static bool wants_queue(enum lwm2m_flag_edit flag, bool edits_b, bool has)
{
	if (flag == LWM2M_REMOVE)
		return false;
	return has || (flag == LWM2M_ADD && edits_b);
}

/* The letters b shall have. An absent b means U, and stays absent where that is still what is meant. */
static void plan_letters(struct plan *plan, struct edit *e, const struct lwm2m_param *b, const char *binding,
			 bool letter_q)
{
	struct coap_text letters = { "U", 1 };

	if (!binding && plan->has_b && text_has(&b->value, 'Q') == letter_q) {
		plan->b = b->whole; /* says it already */
		return;
	}
	if (binding)
		letters = (struct coap_text){ binding, strlen(binding) };
	else if (plan->has_b)
		letters = b->value;
	if (plan->has_b || letter_q || !text_is(&letters, "U"))
		plan->b = write_binding(e, &letters, letter_q);
}

/* Of the letters that the server entry names, those that the version knows (1.0: U and S, in this order; T and N came
 * with 1.1, M and H with 1.2); U where none is left. */
static const char *letters_of(char buf[BINDING_MAX], const char *binding, enum lwm2m_version version)
{
	const char *known = version == LWM2M_V_1_0 ? "US" : version == LWM2M_V_1_1 ? "USTN" : "USTNMH";
	const char *first = version == LWM2M_V_1_0 ? known : binding, *second = first == known ? binding : known;
	size_t n = 0;

	for (; *first && n < BINDING_MAX - 1; first++)
		if (strchr(second, *first))
			buf[n++] = *first;
	buf[n] = '\0';
	return n ? buf : "U";
}

static struct plan plan_binding(struct edit *e, const struct coap_msg *m, enum lwm2m_op op, enum lwm2m_version version,
				const struct lwm2m_edits *edits)
{
	struct plan plan = { .edit = edits->binding || edits->queue_flag != LWM2M_KEEP };
	struct lwm2m_param b = { 0 }, q;
	bool want, letter, edits_b;
	char letters[BINDING_MAX];

	plan.has_b = lwm2m_param_find(&b, m, "b");
	plan.has_q = lwm2m_param_find(&q, m, "Q");
	edits_b = plan.has_b || op == LWM2M_REGISTER;
	want = wants_queue(edits->queue_flag, edits_b, plan.has_q || (plan.has_b && text_has(&b.value, 'Q')));
	letter = want && edits_b && lwm2m_q_is_a_letter(version);
	plan.want_q = want && !letter;
	if (plan.edit && edits_b)
		plan_letters(&plan, e, &b, edits->binding ? letters_of(letters, edits->binding, version) : NULL,
			     letter);
	return plan;
}

static void edit_b(struct edit *e, struct plan *plan, const struct coap_text *whole)
{
	if (whole->len != plan->b.len || memcmp(whole->p, plan->b.p, whole->len))
		e->changed = true;
	add(e, &plan->b);
	if (plan->want_q && !plan->has_q)
		add_new(e, &q_flag);
	plan->want_q = plan->want_q && plan->has_q;
}

static void edit_q(struct edit *e, struct plan *plan, const struct coap_text *whole)
{
	if (plan->want_q)
		add(e, whole);
	else
		e->changed = true;
}

static void edit_param(struct edit *e, struct plan *plan, const struct lwm2m_param *p, bool remove_sms)
{
	if (remove_sms && text_is(&p->key, "sms"))
		e->changed = true;
	else if (plan->edit && text_is(&p->key, "b"))
		edit_b(e, plan, &p->whole);
	else if (plan->edit && text_is(&p->key, "Q"))
		edit_q(e, plan, &p->whole);
	else
		add(e, &p->whole);
}

/* What is not in the message and shall be there. ep comes last. */
static void add_missing(struct edit *e, const struct plan *plan, const char *ep)
{
	const uint8_t *start;
	struct coap_text t;

	if (plan->edit && !plan->has_b && plan->b.p)
		add_new(e, &plan->b);
	if (plan->edit && !plan->has_q && plan->want_q)
		add_new(e, &q_flag);
	if (!ep)
		return;
	start = e->text.p;
	write_bytes(&e->text, "ep=", 3);
	write_bytes(&e->text, ep, strlen(ep));
	t = end_text(e, start);
	add_new(e, &t);
}

int lwm2m_edit(struct lwm2m_queries *q, const struct coap_msg *m, enum lwm2m_op op, enum lwm2m_version version,
	       const struct lwm2m_edits *e)
{
	struct edit edit = { .q = q, .text = writer_of(q->text, sizeof q->text) };
	struct coap_options it = coap_options_of(m);
	struct coap_option oscore;
	struct plan plan;
	struct lwm2m_param p;
	bool insert_ep;

	q->n = 0;
	if ((op != LWM2M_REGISTER && op != LWM2M_UPDATE) || coap_option_find(m, COAP_OSCORE, &oscore))
		return 0;
	insert_ep = e->insert_ep && op == LWM2M_REGISTER && !lwm2m_param_find(&p, m, "ep");
	plan = plan_binding(&edit, m, op, version, e);
	while (lwm2m_param_next(&it, &p))
		edit_param(&edit, &plan, &p, e->remove_sms);
	add_missing(&edit, &plan, insert_ep ? e->insert_ep : NULL);
	if (!edit.changed)
		return 0;
	return edit.failed ? -EMSGSIZE : 1;
}
