/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.eclipse.californium.core.CoapExchange;
import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.Code;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.network.Endpoint;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mEncoder;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.ContentFormat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A bootstrap server: java niddgw.interop.BootstrapPeer HOST:PORT. The Leshan module for it is not published, so the sequence stands
 * here, on Californium and on the encoder that both share.
 *
 * "account" says what a client is given: "ep", "server" (URI), "ssid", "lt", and with "identity" and "key" (hexadecimal) a key. A
 * Bootstrap-Request is the event "bootstrap" with "queries" and "addr"; each step that follows is the event "step" with "what",
 * "code" and "octets".
 */
public final class BootstrapPeer {
	private static final long PATIENCE_MS = 60_000;
	private static final int SECURITY_PSK = 0, SECURITY_NONE = 3;

	private final Console console = new Console();
	private final DefaultLwM2mEncoder encoder = new DefaultLwM2mEncoder();
	private final ExecutorService steps = Executors.newSingleThreadExecutor();
	private final CoapServer server;
	private final Endpoint endpoint;
	private JsonNode account = Console.object();

	private BootstrapPeer(InetSocketAddress listen) {
		CoapConfig.register();
		UdpConfig.register();
		Configuration configuration = Configuration.createStandardWithoutFile();
		endpoint = CoapEndpoint.builder().setConfiguration(configuration).setInetSocketAddress(listen).build();
		server = new CoapServer(configuration);
		server.addEndpoint(endpoint);
		server.add(new CoapResource("bs") {
			@Override
			public void handlePOST(CoapExchange exchange) {
				take(exchange);
			}
		});
		console.verb("account", (cmd, id) -> {
			account = cmd;
			return Console.object();
		});
	}

	private void run() throws IOException {
		server.start();
		console.event("ready", Console.object().put("listen", Text.address(endpoint.getAddress())));
		console.serve();
		steps.shutdownNow();
		server.destroy();
	}

	private void take(CoapExchange exchange) {
		EndpointContext client = exchange.advanced().getRequest().getSourceContext();
		ObjectNode event = Console.object().put("addr", Text.address(client.getPeerAddress()));
		ArrayNode queries = event.putArray("queries");
		exchange.getRequestOptions().getUriQueryStrings().forEach(queries::add);
		console.event("bootstrap", event);
		exchange.respond(ResponseCode.CHANGED);
		steps.execute(() -> equip(client));
	}

	/** Everything goes but what leads here; then the account of the one server; then the end. */
	private void equip(EndpointContext client) {
		try {
			ask(client, Code.DELETE, "/0", null);
			ask(client, Code.DELETE, "/1", null);
			ask(client, Code.PUT, "/0/1", security());
			ask(client, Code.PUT, "/1/0", instance(0, integer(0, account.path("ssid").asLong()), integer(1, account.path("lt").asLong()),
					LwM2mSingleResource.newBooleanResource(6, false), LwM2mSingleResource.newStringResource(7, BindingMode.U.toString())));
			ask(client, Code.POST, "/bs", null);
		} catch (IllegalStateException end) {
			console.event("stopped", Console.object().put("why", end.getMessage()));
		} catch (InterruptedException end) {
			Thread.currentThread().interrupt();
		}
	}

	private LwM2mObjectInstance security() {
		HexFormat hex = HexFormat.of();
		return instance(1, LwM2mSingleResource.newStringResource(0, account.path("server").asText()),
				LwM2mSingleResource.newBooleanResource(1, false), integer(2, account.has("key") ? SECURITY_PSK : SECURITY_NONE),
				LwM2mSingleResource.newBinaryResource(3, account.path("identity").asText().getBytes()),
				LwM2mSingleResource.newBinaryResource(4, new byte[0]),
				LwM2mSingleResource.newBinaryResource(5, hex.parseHex(account.path("key").asText())),
				integer(10, account.path("ssid").asLong()));
	}

	private static LwM2mResource integer(int id, long value) {
		return LwM2mSingleResource.newIntegerResource(id, value);
	}

	private static LwM2mObjectInstance instance(int id, LwM2mResource... resources) {
		return new LwM2mObjectInstance(id, new ArrayList<>(List.of(resources)));
	}

	private void ask(EndpointContext client, Code code, String path, LwM2mNode node) throws InterruptedException {
		Request request = new Request(code);
		request.setDestinationContext(client);
		request.getOptions().setUriPath(path);
		if (node != null) {
			request.getOptions().setContentFormat(ContentFormat.TLV.getCode());
			request.setPayload(encoder.encode(node, ContentFormat.TLV, null, new LwM2mPath(path), Models.MODEL));
		}
		endpoint.sendRequest(request);
		Response response = request.waitForResponse(PATIENCE_MS);
		console.event("step", Console.object().put("what", code + " " + path).put("octets", request.getPayloadSize())
				.put("code", response == null ? null : response.getCode().toString()));
		if (response == null || !response.getCode().isSuccess())
			throw new IllegalStateException(code + " " + path + ": " + (response == null ? "no answer" : response.getCode()));
	}

	public static void main(String[] args) {
		if (args.length != 1) {
			System.err.println("usage: BootstrapPeer HOST:PORT");
			System.exit(2);
		}
		Console.main(() -> new BootstrapPeer(Text.address(args[0])).run());
	}
}
