/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.util.HexFormat;

import org.eclipse.californium.core.coap.Response;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.response.AbstractLwM2mResponse;
import org.eclipse.leshan.core.response.CreateResponse;
import org.eclipse.leshan.core.response.DiscoverResponse;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ReadCompositeResponse;
import org.eclipse.leshan.core.response.ReadResponse;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** Responses and notifications as JSON: what the library made of them, and the payload's octets as they came. */
final class Answers {
	private Answers() {
	}

	/** at: the path that was asked for; null where the response names its paths itself. */
	static ObjectNode json(LwM2mPath at, LwM2mResponse response) {
		ObjectNode out = Console.object().put("code", Text.code(response.getCode()));
		if (response.getErrorMessage() != null)
			out.put("text", response.getErrorMessage());
		if (response instanceof ReadCompositeResponse composite && composite.getContent() != null)
			out.set("values", Nodes.json(composite.getContent()));
		else if (response instanceof ReadResponse read && read.getContent() != null)
			out.set("values", Nodes.json(at, read.getContent()));
		else if (response instanceof DiscoverResponse discover && discover.getObjectLinks() != null)
			out.set("links", links(discover.getObjectLinks()));
		else if (response instanceof CreateResponse create && create.getLocation() != null)
			out.put("location", create.getLocation());
		if (response instanceof AbstractLwM2mResponse known && known.getCoapResponse() instanceof Response coap)
			wire(out, coap);
		return out;
	}

	static ArrayNode links(Link[] links) {
		ArrayNode out = Console.JSON.createArrayNode();
		for (Link link : links)
			out.add(link.toCoreLinkFormat());
		return out;
	}

	private static void wire(ObjectNode out, Response coap) {
		out.put("type", coap.getType().toString());
		out.put("payload", HexFormat.of().formatHex(coap.getPayload()));
		if (coap.getOptions().hasContentFormat())
			out.put("format", coap.getOptions().getContentFormat());
		if (coap.getOptions().hasObserve())
			out.put("observe", coap.getOptions().getObserve());
	}
}
