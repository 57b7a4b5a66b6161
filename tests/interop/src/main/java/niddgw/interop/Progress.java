/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** How a client fares with its registration, as events: bootstrapped, registered, updated, deregistered, and the same with "_failed". */
final class Progress extends LwM2mClientObserverAdapter {
	private final Console console;
	private final String ep;

	Progress(Console console, String ep) {
		this.console = console;
		this.ep = ep;
	}

	private void tell(String ev, ObjectNode fields) {
		console.event(ev, fields.put("ep", ep));
	}

	private void failed(String what, ResponseCode code, String text, Exception cause) {
		tell(what + "_failed", Console.object().put("code", code == null ? null : Text.code(code)).put("text", text)
				.put("why", cause == null ? null : cause.toString()));
	}

	@Override
	public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
		tell("bootstrapped", Console.object());
	}

	@Override
	public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code, String text, Exception cause) {
		failed("bootstrapped", code, text, cause);
	}

	@Override
	public void onBootstrapTimeout(LwM2mServer server, BootstrapRequest request) {
		failed("bootstrapped", null, "timeout", null);
	}

	@Override
	public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String location) {
		tell("registered", Console.object().put("location", location));
	}

	@Override
	public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code, String text, Exception cause) {
		failed("registered", code, text, cause);
	}

	@Override
	public void onRegistrationTimeout(LwM2mServer server, RegisterRequest request) {
		failed("registered", null, "timeout", null);
	}

	@Override
	public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
		tell("updated", Console.object());
	}

	@Override
	public void onUpdateFailure(LwM2mServer server, UpdateRequest request, ResponseCode code, String text, Exception cause) {
		failed("updated", code, text, cause);
	}

	@Override
	public void onUpdateTimeout(LwM2mServer server, UpdateRequest request) {
		failed("updated", null, "timeout", null);
	}

	@Override
	public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
		tell("deregistered", Console.object());
	}

	@Override
	public void onDeregistrationFailure(LwM2mServer server, DeregisterRequest request, ResponseCode code, String text, Exception cause) {
		failed("deregistered", code, text, cause);
	}

	@Override
	public void onDeregistrationTimeout(LwM2mServer server, DeregisterRequest request) {
		failed("deregistered", null, "timeout", null);
	}

	@Override
	public void onUnexpectedError(Throwable error) {
		tell("fault", Console.object().put("why", error.toString()));
	}
}
