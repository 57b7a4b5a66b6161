/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttribute;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributes;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.CreateRequest;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkDeviceManagementRequest;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveCompositeRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadCompositeRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.WriteAttributesRequest;
import org.eclipse.leshan.core.request.WriteCompositeRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * Makes the library's request out of a command: "path" or "paths", "format" (the number; absent: the library's choice),
 * "values" as Nodes prints them.
 */
final class Operations {
	private Operations() {
	}

	static DownlinkDeviceManagementRequest<? extends LwM2mResponse> of(JsonNode cmd) {
		return switch (cmd.path("cmd").asText()) {
		case "read" -> new ReadRequest(format(cmd), path(cmd), null);
		case "write" -> write(cmd);
		case "observe" -> new ObserveRequest(format(cmd), path(cmd).toString());
		case "execute" -> execute(cmd);
		case "create" -> create(cmd);
		case "delete" -> new DeleteRequest(path(cmd).toString());
		case "discover" -> new DiscoverRequest(path(cmd).toString());
		case "attributes" -> attributes(cmd);
		case "read-composite" -> new ReadCompositeRequest(paths(cmd), format(cmd), format(cmd), null);
		case "write-composite" -> new WriteCompositeRequest(format(cmd), nodes(cmd.path("values")), null);
		case "observe-composite" -> new ObserveCompositeRequest(format(cmd), format(cmd), paths(cmd));
		default -> throw new IllegalArgumentException("no such operation");
		};
	}

	static LwM2mPath path(JsonNode cmd) {
		return new LwM2mPath(cmd.path("path").asText());
	}

	static List<LwM2mPath> paths(JsonNode cmd) {
		List<LwM2mPath> out = new ArrayList<>();
		cmd.path("paths").forEach(p -> out.add(new LwM2mPath(p.asText())));
		return out;
	}

	static ContentFormat format(JsonNode cmd) {
		return cmd.has("format") ? ContentFormat.fromCode(cmd.path("format").asInt()) : null;
	}

	private static WriteRequest write(JsonNode cmd) {
		WriteRequest.Mode mode = cmd.path("update").asBoolean() ? WriteRequest.Mode.UPDATE : WriteRequest.Mode.REPLACE;
		LwM2mPath at = path(cmd);
		return new WriteRequest(mode, format(cmd), at, Nodes.node(at, cmd.path("values")), null);
	}

	private static ExecuteRequest execute(JsonNode cmd) {
		return cmd.has("arguments") ? new ExecuteRequest(path(cmd).toString(), cmd.path("arguments").asText())
				: new ExecuteRequest(path(cmd).toString());
	}

	/** "path" is the object; with "instance" that one is asked for, otherwise the device chooses. */
	private static CreateRequest create(JsonNode cmd) {
		var resources = Nodes.resources(cmd.path("values"));
		int object = path(cmd).getObjectId();
		return cmd.has("instance")
				? new CreateRequest(format(cmd), object, new LwM2mObjectInstance(cmd.path("instance").asInt(), resources))
				: new CreateRequest(format(cmd), object, resources);
	}

	private static WriteAttributesRequest attributes(JsonNode cmd) {
		List<LwM2mAttribute<?>> set = new ArrayList<>();
		if (cmd.has("pmin"))
			set.add(LwM2mAttributes.create(LwM2mAttributes.MINIMUM_PERIOD, cmd.path("pmin").asLong()));
		if (cmd.has("pmax"))
			set.add(LwM2mAttributes.create(LwM2mAttributes.MAXIMUM_PERIOD, cmd.path("pmax").asLong()));
		if (cmd.has("gt"))
			set.add(LwM2mAttributes.create(LwM2mAttributes.GREATER_THAN, cmd.path("gt").asDouble()));
		return new WriteAttributesRequest(path(cmd).toString(), new LwM2mAttributeSet(set));
	}

	private static Map<LwM2mPath, LwM2mNode> nodes(JsonNode values) {
		Map<LwM2mPath, LwM2mNode> out = new TreeMap<>();
		values.fieldNames().forEachRemaining(name -> {
			LwM2mPath path = new LwM2mPath(name);
			out.put(path, Nodes.node(path, Console.object().set(name, values.get(name))));
		});
		return out;
	}
}
