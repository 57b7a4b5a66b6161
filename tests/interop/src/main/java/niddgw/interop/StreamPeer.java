/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.mbed.coap.exception.CoapException;
import com.mbed.coap.packet.BlockSize;
import com.mbed.coap.packet.Code;
import com.mbed.coap.packet.CoapPacket;
import com.mbed.coap.packet.CoapRequest;
import com.mbed.coap.packet.CoapResponse;
import com.mbed.coap.packet.CoapTcpPacketSerializer;
import com.mbed.coap.packet.Method;
import com.mbed.coap.packet.Opaque;
import com.mbed.coap.packet.SeparateResponse;
import com.mbed.coap.server.CoapServer;
import com.mbed.coap.server.TcpCoapServer;
import com.mbed.coap.server.observe.NotificationsReceiver;
import com.mbed.coap.transport.BlockingCoapTransport;
import com.mbed.coap.transport.CoapTcpListener;
import com.mbed.coap.transport.CoapTcpTransport;

/**
 * A LwM2M server on java-coap's stack for TCP and TLS, which is what Leshan's experimental transports stand on. The library connects and does
 * not listen, so that part is ours. Commands and events are those of stream_end.py.
 */
final class StreamPeer {
	/** Accepted sockets; what they bring goes into one queue, as the library wants it. */
	private static final class Listening extends BlockingCoapTransport implements CoapTcpTransport {
		private final ServerSocket listener;
		private final Map<InetSocketAddress, Socket> sockets = new ConcurrentHashMap<>();
		private final Map<InetSocketAddress, OutputStream> outputs = new ConcurrentHashMap<>();
		private final java.util.concurrent.BlockingQueue<CoapPacket> arrived = new java.util.concurrent.LinkedBlockingQueue<>();
		private CoapTcpListener told;

		Listening(ServerSocket listener) {
			this.listener = listener;
		}

		@Override
		public void setListener(CoapTcpListener listener) {
			told = listener;
		}

		@Override
		public void start() {
			background(this::acceptAll);
		}

		private static void background(Runnable what) {
			Thread t = new Thread(what);
			t.setDaemon(true);
			t.start();
		}

		private void acceptAll() {
			try {
				while (true) {
					Socket s = listener.accept();
					s.setTcpNoDelay(true);
					background(() -> read(s));
				}
			} catch (IOException closed) {
				return;
			}
		}

		private void read(Socket s) {
			InetSocketAddress from = (InetSocketAddress) s.getRemoteSocketAddress();
			try (s) {
				InputStream in = new BufferedInputStream(s.getInputStream());
				outputs.put(from, new BufferedOutputStream(s.getOutputStream()));
				sockets.put(from, s);
				told.onConnected(from);
				while (true)
					arrived.add(CoapTcpPacketSerializer.deserialize(from, in));
			} catch (IOException | CoapException over) {
				outputs.remove(from);
				sockets.remove(from);
				told.onDisconnected(from);
			}
		}

		@Override
		public void stop() {
			try {
				listener.close();
				for (Socket s : sockets.values())
					s.close();
			} catch (IOException fault) {
				throw new IllegalStateException(fault);
			}
		}

		@Override
		public void sendPacket0(CoapPacket packet) throws CoapException, IOException {
			OutputStream out = outputs.get(packet.getRemoteAddress());
			if (out == null)
				throw new IOException("not connected");
			synchronized (out) {
				CoapTcpPacketSerializer.writeTo(out, packet);
				out.flush();
			}
		}

		@Override
		public CompletableFuture<CoapPacket> receive() {
			return CompletableFuture.supplyAsync(() -> {
				try {
					return arrived.take();
				} catch (InterruptedException fault) {
					throw new IllegalStateException(fault);
				}
			});
		}

		@Override
		public InetSocketAddress getLocalSocketAddress() {
			return (InetSocketAddress) listener.getLocalSocketAddress();
		}
	}

	private final Console console = new Console();
	private final Map<String, Opaque> values = new HashMap<>();
	private final Map<String, String> observations = new ConcurrentHashMap<>();
	private volatile InetSocketAddress registered;
	private CoapServer server;

	private static ServerSocket listen(InetSocketAddress at, String store) throws IOException, GeneralSecurityException {
		if (store == null)
			return new ServerSocket(at.getPort(), 64, at.getAddress());
		char[] password = "niddgw".toCharArray();
		KeyStore keys = KeyStore.getInstance("PKCS12");
		try (InputStream in = new FileInputStream(store)) {
			keys.load(in, password);
		}
		KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
		managers.init(keys, password);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(managers.getKeyManagers(), null, null);
		return context.getServerSocketFactory().createServerSocket(at.getPort(), 64, at.getAddress());
	}

	private static String hex(Opaque data) {
		return data.toHex();
	}

	/* ---- what it is asked ---- */

	private synchronized CompletableFuture<CoapResponse> answer(CoapRequest request) {
		String path = request.options().getUriPath().replaceFirst("^/", "");
		ObjectNode seen = Console.object().put("method", request.getMethod().name()).put("path", path)
				.put("payload", hex(request.getPayload())).put("remote", request.getPeerAddress().toString());
		for (String part : String.valueOf(request.options().getUriQuery()).split("&"))
			seen.withArray("query").add(part);
		console.event("request", seen);
		if (request.getMethod() == Method.GET && values.containsKey(path))
			return CoapResponse.ok(values.get(path)).toFuture();
		if (request.getMethod() == Method.GET)
			return CoapResponse.notFound().toFuture();
		if (request.getMethod() == Method.PUT) {
			values.put(path, request.getPayload());
			return CoapResponse.coapResponse(Code.C204_CHANGED).toFuture();
		}
		if (path.startsWith("rd"))
			registered = request.getPeerAddress();
		if (path.equals("rd"))
			return CoapResponse.coapResponse(Code.C201_CREATED).locationPath("/rd/a1").toFuture();
		return CoapResponse.coapResponse(Code.C204_CHANGED).payload(request.getPayload()).toFuture();
	}

	/* ---- what it asks ---- */

	private ObjectNode fields(CoapResponse response) {
		return Console.object().put("code", response.getCode().codeToString().substring(0, 1) + "." + response.getCode().codeToString().substring(1))
				.put("payload", hex(response.getPayload()));
	}

	private ObjectNode ask(String id, CoapRequest.Builder request) {
		server.clientService().apply(request.to(registered)).whenComplete((response, fault) -> {
			if (fault != null)
				console.failed(id, fault);
			else
				console.answer("answer", id, fields(response));
		});
		return null;
	}

	private ObjectNode request(JsonNode cmd, String id) {
		CoapRequest.Builder request = CoapRequest.request(Method.valueOf(cmd.get("method").asText()), cmd.get("target").asText());
		if (cmd.hasNonNull("payload") && !cmd.get("payload").asText().isEmpty())
			request.payload(Opaque.decodeHex(cmd.get("payload").asText()));
		return ask(id, request);
	}

	private ObjectNode observe(JsonNode cmd, String id) {
		observations.put(cmd.get("target").asText(), id);
		return ask(id, CoapRequest.observe(cmd.get("target").asText()));
	}

	private boolean notified(String path, SeparateResponse note) {
		String id = observations.get(path);
		if (id == null)
			return false;
		console.event("notify", fields(note.asResponse()).put("observation", id));
		return true;
	}

	private void run(String at, String store) throws IOException {
		int colon = at.lastIndexOf(':');
		try {
			ServerSocket listener = listen(new InetSocketAddress(at.substring(0, colon), Integer.parseInt(at.substring(colon + 1))), store);
			NotificationsReceiver notes = this::notified;
			server = TcpCoapServer.builder().transport(new Listening(listener)).route(this::answer).notificationsReceiver(notes)
					.blockSize(BlockSize.S_1024_BERT).maxMessageSize(10000).maxIncomingBlockTransferSize(100000).build().start();
		} catch (GeneralSecurityException fault) {
			throw new IOException(fault);
		}
		console.event("ready", Console.object().put("listen", at));
		console.verb("request", this::request).verb("observe", this::observe)
				.verb("cancel", (cmd, id) -> Console.object()).serve();
		server.stop();
	}

	public static void main(String[] args) {
		Console.main(() -> new StreamPeer().run(args[0], args.length > 1 ? args[1] : null));
	}
}
