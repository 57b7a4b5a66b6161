/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Supplier;

import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.resource.BaseInstanceEnablerFactory;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnablerFactory;
import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.util.datatype.ULong;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** One LwM2M client with a socket of its own, and the objects of class Models. */
final class Device {
	private static final int SHORT_SERVER_ID = 123;
	private static final long PATIENCE_MS = 60_000;

	private final Console console;
	private final String ep;
	private final Wire wire = new Wire();
	private final LeshanClient client;
	private final LwM2mObjectEnabler[] objects;

	/**
	 * start: "ep", "server" (URI), "local" (HOST:PORT), "lt" (s), "queue", "binding", "value" of the sensor; "identity" and "key"
	 * (hexadecimal) for coaps; with "bootstrap" the server is one that says which server there is.
	 */
	Device(Console console, ScheduledExecutorService executor, JsonNode start) throws Exception {
		this.console = console;
		ep = start.path("ep").asText();
		objects = objects(start);
		LeshanClientBuilder builder = new LeshanClientBuilder(ep);
		builder.setObjects(List.of(objects));
		builder.setSharedExecutor(executor);
		builder.setRegistrationEngineFactory(new DefaultRegistrationEngineFactory().setQueueMode(start.path("queue").asBoolean())
				.setRequestTimeoutInMs(PATIENCE_MS));
		builder.setEndpointsProviders(Sockets.on(Text.address(start.path("local").asText()), wire));
		client = builder.build();
		client.addObserver(new Progress(console, ep));
	}

	private LwM2mObjectEnabler[] objects(JsonNode start) {
		ObjectsInitializer all = new ObjectsInitializer(Models.MODEL);
		all.setInstancesForObject(LwM2mId.SECURITY, security(start));
		if (start.path("bootstrap").asBoolean())
			all.setClassForObject(LwM2mId.SERVER, Server.class);
		else
			all.setInstancesForObject(LwM2mId.SERVER, new Server(SHORT_SERVER_ID, start.path("lt").asLong(300)));
		all.setInstancesForObject(Models.DEVICE, new Thing(console, ep, device(start)));
		all.setInstancesForObject(Models.TEMPERATURE, new Thing(console, ep, temperature(start.path("value").asDouble(21.5))));
		all.setInstancesForObject(Models.SAMPLER, new Thing(console, ep, sampler()));
		all.setFactoryForObject(Models.DEVICE, factory(() -> device(start)));
		all.setFactoryForObject(Models.TEMPERATURE, factory(() -> temperature(0)));
		all.setFactoryForObject(Models.SAMPLER, factory(Device::sampler));
		List<LwM2mObjectEnabler> list = new ArrayList<>();
		for (int id : new int[] { LwM2mId.SECURITY, LwM2mId.SERVER, Models.DEVICE, Models.TEMPERATURE, Models.SAMPLER })
			list.add(all.create(id));
		return list.toArray(LwM2mObjectEnabler[]::new);
	}

	private static Security security(JsonNode start) {
		String server = start.path("server").asText();
		if (start.path("bootstrap").asBoolean())
			return Security.noSecBootstrap(server);
		if (!start.has("key"))
			return Security.noSec(server, SHORT_SERVER_ID);
		return Security.psk(server, SHORT_SERVER_ID, start.path("identity").asText().getBytes(StandardCharsets.UTF_8),
				HexFormat.of().parseHex(start.path("key").asText()));
	}

	/** For instances that the server creates. */
	private LwM2mInstanceEnablerFactory factory(Supplier<Map<Integer, Object>> values) {
		return new BaseInstanceEnablerFactory() {
			@Override
			public LwM2mInstanceEnabler create() {
				return new Thing(console, ep, values.get());
			}
		};
	}

	/** Everything has a value that does not depend on when or where it runs, so that two runs can be held side by side. */
	private static Map<Integer, Object> device(JsonNode start) {
		return Map.ofEntries(Map.entry(0, "niddgw"), Map.entry(1, "interop"), Map.entry(2, "0815"), Map.entry(3, "1.0"),
				Map.entry(6, Map.of(0, 1L, 1, 5L)), Map.entry(7, Map.of(0, 3800L, 1, 5000L)), Map.entry(8, Map.of(0, 125L, 1, 900L)),
				Map.entry(9, 100L), Map.entry(10, 15L), Map.entry(11, Map.of(0, 0L)), Map.entry(13, instant("2024-05-01T12:00:00Z")),
				Map.entry(14, "+02"), Map.entry(15, "Europe/Berlin"), Map.entry(16, start.path("binding").asText("U")),
				Map.entry(17, "meter"), Map.entry(18, "r1"), Map.entry(19, "1.0.0"), Map.entry(20, 0L), Map.entry(21, 64L),
				Map.entry(22, Map.of(0, new ObjectLink(3303, 0))));
	}

	private static Map<Integer, Object> temperature(double value) {
		return Map.of(5700, value, 5701, "Cel", 5601, -10.25, 5602, 40.75);
	}

	private static Map<Integer, Object> sampler() {
		return Map.of(Models.OPAQUE, new byte[] { 0, 1, (byte) 0xff, 'n', '\n' }, Models.INTEGER, -123456789012345L, Models.STRING,
				"gr\u00fc\u00df dich \"\\ \u20ac", Models.BOOLEAN, true, Models.FLOAT, 3.25, Models.TIME, instant("2013-05-01T00:00:15Z"),
				Models.LINK, new ObjectLink(3303, 0), Models.MANY, Map.of(0, 1L, 1, 300L, 7, -70000L), Models.UNSIGNED,
				ULong.valueOf("18446744073709551615"));
	}

	private static Date instant(String text) {
		return Date.from(Instant.parse(text));
	}

	private LwM2mServer server() {
		return client.getRegisteredServers().values().stream().findFirst()
				.orElseThrow(() -> new IllegalStateException("not registered"));
	}

	void start() {
		client.start();
	}

	void stop(boolean deregister) {
		client.destroy(deregister);
	}

	void update() {
		client.triggerRegistrationUpdate();
	}

	void set(LwM2mPath path, JsonNode value) {
		for (LwM2mObjectEnabler object : objects) {
			if (object.getId() == path.getObjectId())
				((Thing) ((ObjectEnabler) object).getInstance(path.getObjectInstanceId())).set(path, Nodes.value(path, value));
		}
	}

	/** Send of the values at some paths as they are now. */
	void send(JsonNode cmd, String id) throws InterruptedException {
		List<String> paths = new ArrayList<>();
		cmd.path("paths").forEach(p -> paths.add(p.asText()));
		client.getSendService().sendData(server(), ContentFormat.fromCode(cmd.path("format").asInt()), paths, PATIENCE_MS,
				response -> console.answer("response", id, Answers.json(null, response)), error -> console.failed(id, error));
	}

	ObjectNode peers() {
		return (ObjectNode) Console.object().set("peers", wire.json());
	}
}
