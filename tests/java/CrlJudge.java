import com.fasterxml.jackson.databind.JsonNode;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CRL;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What the JDK's PKIX validation makes of a list of revoked certificates. */
final class CrlJudge {
    /** {@code chain} (PEM, leaf first), {@code root} (PEM), {@code crl}: its number of entries where the leaf is good. */
    static JsonNode check(JsonNode question) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        CertPath chain;
        try (InputStream in = Files.newInputStream(Path.of(Judge.text(question, "chain")))) {
            chain = factory.generateCertPath(List.copyOf(factory.generateCertificates(in)));
        }
        Certificate root;
        try (InputStream in = Files.newInputStream(Path.of(Judge.text(question, "root")))) {
            root = factory.generateCertificate(in);
        }
        CRL crl;
        try (InputStream in = Files.newInputStream(Path.of(Judge.text(question, "crl")))) {
            crl = factory.generateCRL(in);
        }
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        checker.setOptions(EnumSet.of(
                PKIXRevocationChecker.Option.PREFER_CRLS,
                PKIXRevocationChecker.Option.NO_FALLBACK,
                PKIXRevocationChecker.Option.ONLY_END_ENTITY));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor((X509Certificate) root, null)));
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(List.of(crl))));
        parameters.addCertPathChecker(checker);
        validator.validate(chain, parameters);
        Set<?> entries = ((X509CRL) crl).getRevokedCertificates();
        return Judge.JSON.getNodeFactory().numberNode(entries == null ? 0 : entries.size());
    }
}
