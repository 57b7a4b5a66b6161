/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.LinkedHashMap;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * How a peer program is driven: commands come in, and events go out, as JSON objects of one line each.
 *
 * A command is {"cmd": VERB, "id": TEXT, ..}. Its answer carries the same id and is {"ev": "ok"}, {"ev": "response"} (what
 * the other end of a CoAP exchange said), {"ev": "failed"} (no answer from there) or {"ev": "error"} (the command itself is
 * wrong). All other lines are events. End of input ends the program.
 */
final class Console {
	/** Does what a command asks. What it returns is printed as "ok"; null when it answers itself, perhaps later. */
	interface Verb {
		ObjectNode run(JsonNode cmd, String id) throws Exception;
	}

	/** A whole program. */
	interface Body {
		void run() throws IOException, GeneralSecurityException;
	}

	static final ObjectMapper JSON = new ObjectMapper();

	private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
	private final Map<String, Verb> verbs = new LinkedHashMap<>();

	/** Runs a program and ends the machine with it: the libraries' threads would keep it alive, also after a failed start. */
	static void main(Body body) {
		try {
			body.run();
			System.exit(0);
		} catch (IOException | GeneralSecurityException | RuntimeException fault) {
			fault.printStackTrace();
			System.exit(1);
		}
	}

	Console verb(String name, Verb verb) {
		verbs.put(name, verb);
		return this;
	}

	static ObjectNode object() {
		return JSON.createObjectNode();
	}

	/** Prints an event; callable from any thread. */
	void event(String ev, ObjectNode fields) {
		ObjectNode line = object();
		line.put("ev", ev);
		line.setAll(fields);
		String text = line.toString();
		synchronized (out) {
			out.println(text);
			out.flush();
		}
	}

	void answer(String ev, String id, ObjectNode fields) {
		fields.put("id", id);
		event(ev, fields);
	}

	void failed(String id, Throwable why) {
		answer("failed", id, object().put("why", String.valueOf(why)));
	}

	/** Reads commands until the input ends. */
	void serve() throws IOException {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		for (String line = in.readLine(); line != null; line = in.readLine()) {
			if (!line.isBlank())
				take(line);
		}
	}

	private void take(String line) {
		String id = "";
		try {
			JsonNode cmd = JSON.readTree(line);
			id = cmd.path("id").asText();
			Verb verb = verbs.get(cmd.path("cmd").asText());
			if (verb == null)
				throw new IllegalArgumentException("no such command; there are " + verbs.keySet());
			ObjectNode result = verb.run(cmd, id);
			if (result != null)
				answer("ok", id, result);
		} catch (Exception fault) {
			answer("error", id, object().put("why", fault.toString()));
		}
	}
}
