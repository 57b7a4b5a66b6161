/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

import org.eclipse.leshan.core.ResponseCode;

/** Small things that are read and written as text. */
final class Text {
	private Text() {
	}

	static String address(InetSocketAddress a) {
		return a.getAddress().getHostAddress() + ":" + a.getPort();
	}

	static InetSocketAddress address(String text) throws UnknownHostException {
		int colon = text.lastIndexOf(':');
		return new InetSocketAddress(InetAddress.getByName(text.substring(0, colon)), Integer.parseInt(text.substring(colon + 1)));
	}

	/** "2.05" of 205. */
	static String code(ResponseCode code) {
		return "%d.%02d".formatted(code.getCode() / 100, code.getCode() % 100);
	}
}
