/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Any number of LwM2M clients: java niddgw.interop.ClientPeer.
 *
 * Commands name one by "ep": "start" (see class Device), "stop" ("deregister", true when absent), "update", "set" ("path",
 * "value"), "send" ("paths", "format"), "peers".
 */
public final class ClientPeer {
	private static final int THREADS = 4;

	private final Console console = new Console();
	private final Map<String, Device> devices = new HashMap<>();
	private final ScheduledExecutorService executor = Executors.newScheduledThreadPool(THREADS);

	private ClientPeer() {
		console.verb("start", this::start).verb("stop", this::stop).verb("update", (cmd, id) -> {
			device(cmd).update();
			return Console.object();
		}).verb("set", (cmd, id) -> {
			device(cmd).set(Operations.path(cmd), cmd.path("value"));
			return Console.object();
		}).verb("send", (cmd, id) -> {
			device(cmd).send(cmd, id);
			return null;
		}).verb("peers", (cmd, id) -> device(cmd).peers());
	}

	private Device device(JsonNode cmd) {
		Device device = devices.get(cmd.path("ep").asText());
		if (device == null)
			throw new IllegalArgumentException("no such client");
		return device;
	}

	private ObjectNode start(JsonNode cmd, String id) throws Exception {
		Device device = new Device(console, executor, cmd);
		if (devices.put(cmd.path("ep").asText(), device) != null)
			throw new IllegalStateException("there was one already");
		device.start();
		return Console.object();
	}

	private ObjectNode stop(JsonNode cmd, String id) {
		device(cmd).stop(cmd.path("deregister").asBoolean(true));
		devices.remove(cmd.path("ep").asText());
		return Console.object();
	}

	private void run() throws IOException {
		console.event("ready", Console.object());
		console.serve();
		devices.values().forEach(d -> d.stop(false));
		executor.shutdownNow();
	}

	public static void main(String[] args) {
		if (args.length != 0) {
			System.err.println("usage: ClientPeer");
			System.exit(2);
		}
		Console.main(() -> new ClientPeer().run());
	}
}
