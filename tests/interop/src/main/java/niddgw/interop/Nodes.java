/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.datatype.ULong;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * LwM2M nodes as JSON and back. A tree becomes one flat object of paths and values: {"/3303/0/5700": 21.5}. Opaque values
 * are written "hex:..", times in ISO 8601, object links as "a:b".
 */
final class Nodes {
	private Nodes() {
	}

	static ObjectNode json(LwM2mPath at, LwM2mNode node) {
		Map<LwM2mPath, Object> flat = new TreeMap<>();
		flatten(at, node, flat);
		return print(flat);
	}

	static ObjectNode json(Map<LwM2mPath, LwM2mNode> nodes) {
		Map<LwM2mPath, Object> flat = new TreeMap<>();
		nodes.forEach((path, node) -> flatten(path, node, flat));
		return print(flat);
	}

	/** What goes below a resource is named by its whole path, whatever level the node has. */
	private static void flatten(LwM2mPath at, LwM2mNode node, Map<LwM2mPath, Object> out) {
		if (node instanceof LwM2mObject object) {
			object.getInstances().forEach((id, child) -> flatten(at.append(id), child, out));
		} else if (node instanceof LwM2mObjectInstance instance) {
			instance.getResources().forEach((id, child) -> flatten(at.append(id), child, out));
		} else if (node instanceof LwM2mResource resource && resource.isMultiInstances()) {
			resource.getInstances().forEach((id, child) -> flatten(at.append(id), child, out));
		} else if (node instanceof LwM2mResource resource) {
			out.put(at, resource.getValue());
		} else if (node instanceof LwM2mResourceInstance instance) {
			out.put(at, instance.getValue());
		} else {
			out.put(at, node == null ? null : node.toString());
		}
	}

	private static ObjectNode print(Map<LwM2mPath, Object> flat) {
		ObjectNode out = Console.object();
		flat.forEach((path, value) -> put(out, path.toString(), value));
		return out;
	}

	private static void put(ObjectNode out, String name, Object value) {
		if (value instanceof byte[] octets)
			out.put(name, "hex:" + HexFormat.of().formatHex(octets));
		else if (value instanceof Date date)
			out.put(name, date.toInstant().toString());
		else if (value instanceof ObjectLink link)
			out.put(name, link.getObjectId() + ":" + link.getObjectInstanceId());
		else if (value instanceof Long number)
			out.put(name, number);
		else if (value instanceof Double number)
			out.put(name, number);
		else if (value instanceof Boolean flag)
			out.put(name, flag);
		else
			out.put(name, String.valueOf(value));
	}

	/** A value of the type that the model gives the resource. */
	static Object value(LwM2mPath path, JsonNode json) {
		return switch (type(path)) {
		case STRING -> json.asText();
		case INTEGER -> json.asLong();
		case UNSIGNED_INTEGER -> ULong.valueOf(json.asText());
		case FLOAT -> json.asDouble();
		case BOOLEAN -> json.asBoolean();
		case OPAQUE -> HexFormat.of().parseHex(json.asText().substring("hex:".length()));
		case TIME -> Date.from(Instant.parse(json.asText()));
		case OBJLNK -> ObjectLink.decodeFromString(json.asText());
		default -> throw new IllegalArgumentException(path + " has no value");
		};
	}

	static Type type(LwM2mPath path) {
		return model(path).type;
	}

	private static ResourceModel model(LwM2mPath path) {
		ResourceModel model = Models.MODEL.getResourceModel(path.getObjectId(), path.getResourceId());
		if (model == null)
			throw new IllegalArgumentException("no model of " + path);
		return model;
	}

	/** The node at a path out of {"/path/of/resource": value, ..}; all of them lie at or below it. */
	static LwM2mNode node(LwM2mPath at, JsonNode values) {
		if (at.isObjectInstance())
			return new LwM2mObjectInstance(at.getObjectInstanceId(), resources(values));
		if (at.isResource())
			return resources(values).iterator().next();
		if (at.isResourceInstance())
			return LwM2mResourceInstance.newInstance(at.getResourceInstanceId(), value(at, values.path(at.toString())), type(at));
		throw new IllegalArgumentException("a node at " + at);
	}

	static Collection<LwM2mResource> resources(JsonNode values) {
		Map<LwM2mPath, List<LwM2mResourceInstance>> many = new TreeMap<>();
		List<LwM2mResource> out = new ArrayList<>();
		for (Iterator<Map.Entry<String, JsonNode>> i = values.fields(); i.hasNext();) {
			Map.Entry<String, JsonNode> entry = i.next();
			LwM2mPath path = new LwM2mPath(entry.getKey());
			Object value = value(path, entry.getValue());
			if (path.isResourceInstance())
				many.computeIfAbsent(path.toResourcePath(), p -> new ArrayList<>())
						.add(LwM2mResourceInstance.newInstance(path.getResourceInstanceId(), value, type(path)));
			else
				out.add(LwM2mSingleResource.newResource(path.getResourceId(), value, type(path)));
		}
		many.forEach((path, instances) -> out.add(new LwM2mMultipleResource(path.getResourceId(), type(path), instances)));
		return out;
	}
}
