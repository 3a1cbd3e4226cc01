import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.Collections;

/** What the JDK finds in a key or trust store: what {@code keytool -list -v} prints, as data. */
final class KeystoreJudge {
    /** {@code path}, {@code type} (PKCS12, JKS), {@code password} (null: opened without one). */
    static JsonNode entries(JsonNode question) throws Exception {
        String given = Judge.text(question, "password");
        char[] password = given == null ? null : given.toCharArray();
        KeyStore store = KeyStore.getInstance(Judge.text(question, "type"));
        try (InputStream in = Files.newInputStream(Path.of(Judge.text(question, "path")))) {
            store.load(in, password);
        }
        ArrayNode entries = Judge.JSON.createArrayNode();
        for (String alias : Collections.list(store.aliases())) {
            ObjectNode entry = entries.addObject();
            entry.put("alias", alias);
            Certificate[] chain;
            if (store.isKeyEntry(alias)) {
                entry.put("kind", "PrivateKeyEntry");
                chain = store.getCertificateChain(alias);
                // Kafka opens the key with the store's password unless ssl.key.password says otherwise.
                Key key = recover(store, alias, password);
                entry.put("key_algorithm", key == null ? null : key.getAlgorithm());
            } else {
                entry.put("kind", "trustedCertEntry");
                chain = new Certificate[] {store.getCertificate(alias)};
                entry.putNull("key_algorithm");
            }
            ArrayNode certificates = entry.putArray("chain");
            for (Certificate certificate : chain) {
                X509Certificate x509 = (X509Certificate) certificate;
                certificates.addObject()
                        // RFC 2253 text, which is what Kafka's principal is made from.
                        .put("subject", x509.getSubjectX500Principal().getName())
                        .put("issuer", x509.getIssuerX500Principal().getName())
                        .put("serial", x509.getSerialNumber().toString(16))
                        .put("public_key_algorithm", x509.getPublicKey().getAlgorithm())
                        .put("signature_algorithm", x509.getSigAlgName());
            }
        }
        return entries;
    }

    private static Key recover(KeyStore store, String alias, char[] password) {
        try {
            return store.getKey(alias, password);
        } catch (GeneralSecurityException wrongPassword) {
            return null;
        }
    }

    private KeystoreJudge() {}
}
