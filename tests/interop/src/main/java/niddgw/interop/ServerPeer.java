/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.TreeSet;
import java.util.stream.Stream;

import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.Endpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mEncoder;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.CancelCompositeObservationRequest;
import org.eclipse.leshan.core.request.CancelObservationRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.DownlinkDeviceManagementRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.model.StaticModelProvider;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.NonUniqueSecurityInfoException;
import org.eclipse.leshan.servers.security.SecurityInfo;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coaps.CoapsServerProtocolProvider;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A LwM2M server: java niddgw.interop.ServerPeer coap|coaps HOST:PORT [CERTIFICATE KEY AUTHORITY] (port 0 takes a free one; the
 * ready event tells it).
 *
 * On coaps "secure" says what a client shows: "ep" with "identity" and "key" (hexadecimal), or alone when its certificate
 * does; the system property "suites" names the only cipher suites. The operations of class Operations are commands with "ep"; so are "cancel" ("path" or none for a composite one,
 * "active"), "peers" (what came from which address) and "registrations".
 */
public final class ServerPeer {
	private static final String[] OPERATIONS = { "read", "write", "observe", "execute", "create", "delete", "discover", "attributes",
			"read-composite", "write-composite", "observe-composite" };
	private static final long PATIENCE_MS = 60_000;
	/** The library's own limit, 8192, is below the 20 kB that are read back. */
	private static final int MAX_BODY = 65536;

	private final Console console = new Console();
	private final Wire wire = new Wire();
	private final InMemorySecurityStore secrets = new InMemorySecurityStore();
	private final LeshanServer server;
	private final CoapServer coap;

	private ServerPeer(Protocol protocol, InetSocketAddress listen, String... pem) throws IOException, GeneralSecurityException {
		var endpoints = new CaliforniumServerEndpointsProvider.Builder(new CoapServerProtocolProvider(), new CoapsServerProtocolProvider());
		Configuration configuration = endpoints.createDefaultConfiguration();
		configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, MAX_BODY);
		if (protocol == Protocol.COAPS && System.getProperty("suites") != null)
			configuration.set(DtlsConfig.DTLS_CIPHER_SUITES,
					Stream.of(System.getProperty("suites").split(",")).map(CipherSuite::getTypeByName).toList());
		CaliforniumServerEndpointsProvider provider = endpoints.setConfiguration(configuration).addEndpoint(listen, protocol).build();
		LeshanServerBuilder builder = new LeshanServerBuilder().setEndpointsProviders(provider).setSecurityStore(secrets)
				.setObjectModelProvider(new StaticModelProvider(Models.all()));
		if (pem.length == 3)
			builder.setCertificateChain(Keys.certificates(pem[0])).setPrivateKey(Keys.key(pem[1]))
					.setTrustedCertificates(Keys.certificates(pem[2]));
		server = builder.build();
		coap = provider.getCoapServer();
		Reports reports = new Reports(console);
		server.getRegistrationService().addListener(reports);
		server.getObservationService().addListener(reports);
		server.getSendService().addListener(reports);
		for (String name : OPERATIONS)
			console.verb(name, (cmd, id) -> ask(cmd, id, Operations.of(cmd)));
		console.verb("cancel", this::cancel).verb("peers", (cmd, id) -> (ObjectNode) Console.object().set("peers", wire.json()))
				.verb("registrations", (cmd, id) -> registrations()).verb("secure", (cmd, id) -> secure(cmd));
	}

	private void run() throws IOException {
		server.start();
		Endpoint endpoint = coap.getEndpoints().get(0);
		endpoint.addInterceptor(wire);
		ObjectNode ready = Console.object().put("listen", Text.address(endpoint.getAddress()));
		var formats = ready.putArray("formats");
		for (ContentFormat format : new TreeSet<>(new DefaultLwM2mEncoder().getSupportedContentFormat()))
			formats.add(format.getCode());
		console.event("ready", ready);
		console.serve();
		server.destroy();
	}

	private Registration registration(JsonNode cmd) {
		Registration r = server.getRegistrationService().getByEndpoint(cmd.path("ep").asText());
		if (r == null)
			throw new IllegalArgumentException("not registered");
		return r;
	}

	private ObjectNode registrations() {
		ObjectNode out = Console.object();
		ObjectNode all = out.putObject("registrations");
		server.getRegistrationService().getAllRegistrations()
				.forEachRemaining(r -> all.put(r.getEndpoint(), Text.address(r.getSocketAddress())));
		return out;
	}

	private ObjectNode secure(JsonNode cmd) throws NonUniqueSecurityInfoException {
		String ep = cmd.path("ep").asText();
		secrets.add(cmd.has("key")
				? SecurityInfo.newPreSharedKeyInfo(ep, cmd.path("identity").asText(), HexFormat.of().parseHex(cmd.path("key").asText()))
				: SecurityInfo.newX509CertInfo(ep));
		return Console.object();
	}

	private <T extends LwM2mResponse> ObjectNode ask(JsonNode cmd, String id, DownlinkDeviceManagementRequest<T> request) {
		LwM2mPath at = cmd.has("path") ? Operations.path(cmd) : null;
		server.send(registration(cmd), request, cmd.path("patience_ms").asLong(PATIENCE_MS),
				response -> console.answer("response", id, Answers.json(at, response)), error -> console.failed(id, error));
		return null;
	}

	/** Actively: the device is asked. Passively: forgotten here, so that its next notification is refused. */
	private ObjectNode cancel(JsonNode cmd, String id) {
		LwM2mPath at = cmd.has("path") ? Operations.path(cmd) : null;
		for (Observation o : server.getObservationService().getObservations(registration(cmd))) {
			if (at == null ? !(o instanceof CompositeObservation) : !(o instanceof SingleObservation s && s.getPath().equals(at)))
				continue;
			if (!cmd.path("active").asBoolean()) {
				server.getObservationService().cancelObservation(o);
				return Console.object();
			}
			if (o instanceof SingleObservation single)
				return ask(cmd, id, new CancelObservationRequest(single));
			return ask(cmd, id, new CancelCompositeObservationRequest((CompositeObservation) o));
		}
		throw new IllegalArgumentException("no such observation");
	}

	public static void main(String[] args) {
		if (args.length != 2 && args.length != 5) {
			System.err.println("usage: ServerPeer coap|coaps HOST:PORT [CERTIFICATE KEY AUTHORITY]");
			System.exit(2);
		}
		Protocol protocol = args[0].equals("coaps") ? Protocol.COAPS : Protocol.COAP;
		Console.main(() -> new ServerPeer(protocol, Text.address(args[1]), Arrays.copyOfRange(args, 2, args.length)).run());
	}
}
