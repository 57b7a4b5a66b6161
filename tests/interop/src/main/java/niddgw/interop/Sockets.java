/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.cert.Certificate;
import java.util.List;

import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.leshan.client.endpoint.ClientEndpointToolbox;
import org.eclipse.leshan.client.servers.ServerInfo;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/** A client's endpoints as the library makes them, but on a port that is named, with one thread each: there are many clients. */
final class Sockets {
	private static final int MAX_BODY = 65536;

	private Sockets() {
	}

	static CaliforniumClientEndpointsProvider on(InetSocketAddress local, Wire wire) {
		var builder = new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider() {
			@Override
			public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
				return plain(local, wire);
			}
		}, new CoapsClientProtocolProvider() {
			@Override
			public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
				return secure(local, wire);
			}
		});
		Configuration configuration = builder.createDefaultConfiguration();
		configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, MAX_BODY);
		configuration.set(CoapConfig.PROTOCOL_STAGE_THREAD_COUNT, 1);
		configuration.set(UdpConfig.UDP_RECEIVER_THREAD_COUNT, 1);
		configuration.set(UdpConfig.UDP_SENDER_THREAD_COUNT, 1);
		configuration.set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1);
		configuration.set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, 1);
		return builder.setConfiguration(configuration).setClientAddress(local.getAddress()).build();
	}

	private static CoapClientEndpointFactory plain(InetSocketAddress local, Wire wire) {
		return new CoapClientEndpointFactory() {
			@Override
			public CoapEndpoint createCoapEndpoint(InetAddress address, Configuration configuration, ServerInfo server,
					boolean initiatesOnly, List<Certificate> trusted, ClientEndpointToolbox tools) {
				CoapEndpoint endpoint = createEndpointBuilder(local, server, configuration, tools).build();
				endpoint.addInterceptor(wire);
				return endpoint;
			}
		};
	}

	private static CoapsClientEndpointFactory secure(InetSocketAddress local, Wire wire) {
		return new CoapsClientEndpointFactory() {
			@Override
			public CoapEndpoint createCoapEndpoint(InetAddress address, Configuration configuration, ServerInfo server,
					boolean initiatesOnly, List<Certificate> trusted, ClientEndpointToolbox tools) {
				CoapEndpoint endpoint = super.createCoapEndpoint(address, configuration, server, initiatesOnly, trusted, tools);
				if (endpoint != null)
					endpoint.addInterceptor(wire);
				return endpoint;
			}

			@Override
			protected DtlsConnectorConfig.Builder createEffectiveDtlsConnectorConfigBuilder(InetSocketAddress any, ServerInfo server,
					DtlsConnectorConfig.Builder root, Configuration configuration, boolean initiatesOnly, List<Certificate> trusted) {
				return super.createEffectiveDtlsConnectorConfigBuilder(local, server, root, configuration, initiatesOnly, trusted);
			}
		};
	}
}
