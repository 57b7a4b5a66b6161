/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.util.Collection;

import org.eclipse.leshan.core.node.TimestampedLwM2mNodes;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.SendRequest;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.send.SendListener;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** What comes to the server unasked, printed as events: registered, updated, deregistered, notify, cancelled, send. */
final class Reports implements RegistrationListener, ObservationListener, SendListener {
	private final Console console;

	Reports(Console console) {
		this.console = console;
	}

	private static ObjectNode registration(Registration r) {
		ObjectNode out = Console.object().put("ep", r.getEndpoint()).put("location", r.getId())
				.put("addr", Text.address(r.getSocketAddress())).put("lt", r.getLifeTimeInSec())
				.put("version", r.getLwM2mVersion().toString()).put("queue", r.getQueueMode());
		ArrayNode binding = out.putArray("binding");
		if (r.getBindingMode() != null)
			r.getBindingMode().forEach(b -> binding.add(b.toString()));
		out.set("links", Answers.links(r.getSortedObjectLinks()));
		out.set("attributes", Console.JSON.valueToTree(r.getAdditionalRegistrationAttributes()));
		return out;
	}

	@Override
	public void registered(Registration r, Registration previous, Collection<Observation> previousObservations) {
		console.event("registered", registration(r).put("again", previous != null));
	}

	@Override
	public void updated(RegistrationUpdate update, Registration updated, Registration previous) {
		console.event("updated", registration(updated));
	}

	@Override
	public void unregistered(Registration r, Collection<Observation> observations, boolean expired, Registration next) {
		console.event(next == null ? "deregistered" : "replaced", Console.object().put("ep", r.getEndpoint())
				.put("location", r.getId()).put("expired", expired).put("observations", observations.size()));
	}

	@Override
	public void newObservation(Observation observation, Registration r) {
	}

	@Override
	public void cancelled(Observation observation) {
		console.event("cancelled", Console.object().put("location", observation.getRegistrationId()));
	}

	private void notification(Registration r, ObjectNode answer) {
		console.event("notify", answer.put("ep", r.getEndpoint()));
	}

	@Override
	public void onResponse(SingleObservation observation, Registration r, ObserveResponse response) {
		notification(r, Answers.json(observation.getPath(), response).put("path", observation.getPath().toString()));
	}

	@Override
	public void onResponse(CompositeObservation observation, Registration r, ObserveCompositeResponse response) {
		notification(r, Answers.json(null, response));
	}

	@Override
	public void onError(Observation observation, Registration r, Exception error) {
		console.event("notify_fault", Console.object().put("ep", r == null ? null : r.getEndpoint()).put("why", error.toString()));
	}

	@Override
	public void dataReceived(Registration r, TimestampedLwM2mNodes data, SendRequest request) {
		console.event("send", (ObjectNode) Console.object().put("ep", r.getEndpoint()).put("addr", Text.address(r.getSocketAddress()))
				.put("format", request.getFormat().getCode()).set("values", Nodes.json(data.getFlattenNodes())));
	}

	@Override
	public void onError(Registration r, String message, Exception error) {
		console.event("send_fault", Console.object().put("ep", r == null ? null : r.getEndpoint()).put("why", message));
	}
}
