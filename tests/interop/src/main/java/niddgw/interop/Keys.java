/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;

/** Certificates and keys out of files in PEM, as the openssl command writes them: EC keys in PKCS 8. */
final class Keys {
	private Keys() {
	}

	static X509Certificate[] certificates(String file) throws IOException, GeneralSecurityException {
		try (InputStream in = Files.newInputStream(Path.of(file))) {
			return CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(X509Certificate[]::new);
		}
	}

	static PrivateKey key(String file) throws IOException, GeneralSecurityException {
		String body = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]*-----", "");
		return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(body)));
	}
}
