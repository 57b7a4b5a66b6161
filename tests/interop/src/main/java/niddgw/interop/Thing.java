/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

import org.eclipse.leshan.client.resource.SimpleInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.WriteResponse;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** An object instance that keeps what it is given, and tells what is done to it: events written and executed. */
final class Thing extends SimpleInstanceEnabler {
	/** An execution with this argument is answered by an error with a text. */
	private static final int REFUSED = 9;
	/** This one says for how many ms the device is busy before it answers. */
	private static final int SLOW = 8;

	private final Console console;
	private final String ep;

	Thing(Console console, String ep, Map<Integer, Object> values) {
		initialValues = values;
		this.console = console;
		this.ep = ep;
	}

	private ObjectNode event(int resource) {
		return Console.object().put("ep", ep).put("path", getResourcePath(resource).toString());
	}

	@Override
	public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
		WriteResponse response = super.write(server, replace, resource, value);
		if (!server.isSystem() && response.isSuccess()) {
			ObjectNode event = event(resource).put("replace", replace);
			if (!value.isMultiInstances() && value.getValue() instanceof byte[] octets)
				event.put("len", octets.length).put("sha256", sha256(octets));
			else
				event.set("values", Nodes.json(getResourcePath(resource), value));
			console.event("written", event);
		}
		return response;
	}

	@Override
	public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
		if (arguments != null && arguments.hasDigit(SLOW))
			pause(Long.parseLong(arguments.get(SLOW).getValue()));
		console.event("executed", event(resource).put("arguments", arguments == null ? null : arguments.serialize()));
		return arguments != null && arguments.hasDigit(REFUSED) ? ExecuteResponse.badRequest("argument 9: gr\u00fc\u00dfe")
				: ExecuteResponse.success();
	}

	/** A new value from within: observers are told. */
	void set(LwM2mPath path, Object value) {
		super.write(LwM2mServer.SYSTEM, true, path.getResourceId(),
				LwM2mSingleResource.newResource(path.getResourceId(), value, Nodes.type(path)));
	}

	private static void pause(long ms) {
		try {
			Thread.sleep(ms);
		} catch (InterruptedException end) {
			Thread.currentThread().interrupt();
		}
	}

	private static String sha256(byte[] octets) {
		try {
			return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(octets));
		} catch (NoSuchAlgorithmException impossible) {
			throw new IllegalStateException(impossible);
		}
	}
}
