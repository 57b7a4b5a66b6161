/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - what stands in the journal of units
 *
 * Records hold names, tokens and octets; times are wall clock. The first octet of each is the form.
 *
 *   UP, NOTE, DOWN  open an entry: the message as it will be on its onward leg, and what its answer needs
 *   LEAVING         it is possibly sent from now on, with this message id
 *   STAYED          it has certainly not been sent
 *   REPLY           what the asker is about to get
 *   TURN            says nothing: who waits for it keeps its place behind what was written before
 *   DONE            the last one: what duplicates of the asker get (no form, the octets themselves)
 *   HANDED          instead of it: they get what the last REPLY holds
 */
#ifndef NIDDGW_SESSION_RECORD_H
#define NIDDGW_SESSION_RECORD_H

#define RECORD_FORM 1

enum record { REC_UP = 1, REC_NOTE, REC_DOWN, REC_LEAVING, REC_STAYED, REC_REPLY, REC_TURN, REC_DONE, REC_HANDED };

/* Of the opening records. */
enum record_flag { F_CON = 1, F_OSCORE = 2, F_OBSERVE = 4, F_CANCEL = 8, F_LEAVING = 16, F_NO_RESPONSE = 32, F_PREFIXED = 64 };
/* Of a reply: where it came from. */
enum reply_flag { R_SEPARATE = 1, R_CON = 2 };
#define LEAVING_IN_DOUBT 1 /* of LEAVING: as a new message */

#endif
