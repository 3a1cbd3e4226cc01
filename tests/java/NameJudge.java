import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import javax.security.auth.x500.X500Principal;
import org.apache.kafka.common.security.scram.ScramCredential;
import org.apache.kafka.common.security.scram.internals.ScramCredentialUtils;
import org.apache.kafka.common.security.scram.internals.ScramFormatter;
import org.apache.kafka.common.security.scram.internals.ScramMechanism;
import org.apache.kafka.common.security.ssl.SslPrincipalMapper;

/** Who Kafka takes someone to be: SCRAM credentials and the principal of a certificate's name. */
final class NameJudge {
    /** {@code mechanism}, {@code password} and {@code salt} (base64), {@code iterations}. */
    static JsonNode scram(JsonNode question) throws Exception {
        ScramMechanism mechanism = ScramMechanism.forMechanismName(Judge.text(question, "mechanism"));
        byte[] password = Base64.getDecoder().decode(Judge.text(question, "password"));
        byte[] salt = Base64.getDecoder().decode(Judge.text(question, "salt"));
        int iterations = question.get("iterations").asInt();
        ScramFormatter formatter = new ScramFormatter(mechanism);
        byte[] salted = formatter.saltedPassword(new String(password, StandardCharsets.UTF_8), salt, iterations);
        ScramCredential credential = formatter.generateCredential(salt, salted, iterations);
        return Judge.JSON.createObjectNode()
                .put("stored", ScramCredentialUtils.credentialToString(credential))
                .put("salted_password", Base64.getEncoder().encodeToString(salted));
    }

    /** {@code rules} as in ssl.principal.mapping.rules, {@code dn} as in RFC 2253; an error where no rule matches. */
    static JsonNode principal(JsonNode question) throws Exception {
        SslPrincipalMapper mapper = SslPrincipalMapper.fromRules(Judge.text(question, "rules"));
        return Judge.JSON.getNodeFactory().textNode(mapper.getName(Judge.text(question, "dn")));
    }

    /** {@code der} (base64) of a Name, as RFC 2253 text. */
    static JsonNode x500Name(JsonNode question) {
        byte[] der = Base64.getDecoder().decode(Judge.text(question, "der"));
        return Judge.JSON.getNodeFactory().textNode(new X500Principal(der).getName());
    }

    private NameJudge() {}
}
