/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.util.Map;
import java.util.TreeMap;

import org.eclipse.californium.core.coap.CoAP.Type;
import org.eclipse.californium.core.coap.EmptyMessage;
import org.eclipse.californium.core.coap.Message;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.network.interceptors.MessageInterceptor;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Counts what passes an endpoint, by the address at the other end: how a run knows that no message ever came from a second
 * port, and that a RST got as far as the device. Called from the endpoint's threads, read from the console's.
 */
final class Wire implements MessageInterceptor {
	/** What has been counted for one address. */
	private static final class Count {
		int requests, responses, notifications, acks, resets;
		int sentRequests, sentResponses, sentNotifications, sentAcks, sentResets;
	}

	private final Map<String, Count> peers = new TreeMap<>();

	synchronized ObjectNode json() {
		ObjectNode out = Console.object();
		peers.forEach((address, c) -> out.set(address,
				Console.object().put("requests", c.requests).put("responses", c.responses).put("notifications", c.notifications)
						.put("acks", c.acks).put("resets", c.resets).put("sent_requests", c.sentRequests)
						.put("sent_responses", c.sentResponses).put("sent_notifications", c.sentNotifications)
						.put("sent_acks", c.sentAcks).put("sent_resets", c.sentResets)));
		return out;
	}

	private Count from(Message message) {
		return peers.computeIfAbsent(Text.address(message.getSourceContext().getPeerAddress()), a -> new Count());
	}

	private Count to(Message message) {
		return peers.computeIfAbsent(Text.address(message.getDestinationContext().getPeerAddress()), a -> new Count());
	}

	@Override
	public synchronized void receiveRequest(Request request) {
		from(request).requests++;
	}

	@Override
	public synchronized void receiveResponse(Response response) {
		Count c = from(response);
		if (response.getOptions().hasObserve())
			c.notifications++;
		else
			c.responses++;
	}

	@Override
	public synchronized void receiveEmptyMessage(EmptyMessage message) {
		Count c = from(message);
		if (message.getType() == Type.RST)
			c.resets++;
		else
			c.acks++;
	}

	@Override
	public synchronized void sendRequest(Request request) {
		to(request).sentRequests++;
	}

	@Override
	public synchronized void sendResponse(Response response) {
		Count c = to(response);
		if (response.getOptions().hasObserve())
			c.sentNotifications++;
		else
			c.sentResponses++;
	}

	@Override
	public synchronized void sendEmptyMessage(EmptyMessage message) {
		Count c = to(message);
		if (message.getType() == Type.RST)
			c.sentResets++;
		else
			c.sentAcks++;
	}
}
